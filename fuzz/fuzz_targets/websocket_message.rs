//! Whatever a WebSocket client says is understood or refused, with words that do not grow with it; and what is understood
//! never makes a subscription larger than it may be.
#![no_main]

use claude_token_monitor::sinks::websocket::message::{ClientMessage, NotUnderstood};
use claude_token_monitor::sinks::websocket::subscription::{MOST, Subscription};

libfuzzer_sys::fuzz_target!(|messages: &str| {
    let mut subscription = Subscription::default();
    for text in messages.lines() {
        let refused = match ClientMessage::parse(text) {
            Ok(ClientMessage::Subscribe(models)) => subscription.subscribe(models).map_err(NotUnderstood::from),
            Ok(ClientMessage::Unsubscribe(models)) => subscription.unsubscribe(models).map_err(NotUnderstood::from),
            Ok(ClientMessage::Ping(_)) => Ok(()),
            Err(refused) => Err(refused),
        };
        if let Err(refused) = refused {
            assert!(refused.message.len() < 200);
        }
        let (wanted, except) = subscription.names();
        assert!(wanted.len() + except.len() <= MOST);
        subscription.wants(text);
    }
});
