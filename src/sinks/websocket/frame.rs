//! Frames as they leave (RFC 6455, section 5.2): made once and shared by all clients, so that nobody keeps a copy.

use warp::hyper::body::Bytes;

use super::message::ServerMessage;

/// A whole frame, ready to be written. Cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame(Bytes);

/// The first byte: the frame is the whole message; its kind.
const TEXT: u8 = 0x81;
const PING: u8 = 0x89;

impl Frame {
    pub fn text(message: &ServerMessage) -> Self {
        let json = serde_json::to_vec(message).expect("messages are maps with string keys");
        Self::of(TEXT, &json)
    }

    /// The other side answers it by itself, or is not there any more.
    pub fn ping() -> Self {
        Self(Bytes::from_static(&[PING, 0]))
    }

    pub fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// The shortest form of the length that fits is the only one allowed.
    fn of(first: u8, payload: &[u8]) -> Self {
        let mut frame = Vec::with_capacity(payload.len() + 10);
        frame.push(first);
        match (u8::try_from(payload.len()), u16::try_from(payload.len())) {
            (Ok(length @ ..=125), _) => frame.push(length),
            (_, Ok(length)) => {
                frame.push(126);
                frame.extend(length.to_be_bytes());
            }
            _ => {
                frame.push(127);
                frame.extend((payload.len() as u64).to_be_bytes());
            }
        }
        frame.extend(payload);
        Self(frame.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_take_their_shortest_form() {
        fn check(length: usize, header: &[u8]) {
            let frame = Frame::of(TEXT, &vec![b'x'; length]);
            assert_eq!(frame.bytes().len(), header.len() + length);
            assert_eq!(&frame.bytes()[..header.len()], header, "{length}");
        }
        check(0, &[0x81, 0]);
        check(125, &[0x81, 125]);
        check(126, &[0x81, 126, 0, 126]);
        check(65_535, &[0x81, 126, 255, 255]);
        check(65_536, &[0x81, 127, 0, 0, 0, 0, 0, 1, 0, 0]);
    }
}
