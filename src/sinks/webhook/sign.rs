//! Signatures of the Standard Webhooks specification, version 1: HMAC-SHA256 over id, time and body.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// `v1,` and the signature. A secret that begins with `whsec_` is base64, any other is taken as it is.
pub(super) fn signature(secret: &str, id: &str, seconds: &str, body: &[u8]) -> Result<String, String> {
    let key = match secret.strip_prefix("whsec_") {
        Some(text) => STANDARD.decode(text).map_err(|_| "the secret begins with whsec_ and is no base64")?,
        None => secret.as_bytes().to_vec(),
    };
    let mut mac = Hmac::<Sha256>::new_from_slice(&key).map_err(|error| error.to_string())?;
    for part in [id.as_bytes(), b".", seconds.as_bytes(), b".", body] {
        mac.update(part);
    }
    Ok(format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes())))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the specification's reference implementations.
    #[test]
    fn the_known_answer() {
        let body = br#"{"test": 2432232314}"#;
        let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
        let signed = signature(secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", body);
        assert_eq!(signed.as_deref(), Ok("v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="));
        assert!(signature("whsec_!", "a", "1", b"").is_err());
        assert_ne!(signature("plain", "a", "1", b""), signature("other", "a", "1", b""));
    }
}
