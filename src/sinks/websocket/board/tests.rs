use super::*;
use crate::event::{TokenCounts, UnixMillis};
use crate::hub::Statuses;

/// A snapshot in which these models have used so many tokens.
pub(super) fn snapshot(revision: u64, models: &[(&str, u64)]) -> Arc<Snapshot> {
    let tally = |input: u64| Tally { tokens: TokenCounts { input, ..TokenCounts::default() }, ..Tally::default() };
    let models: BTreeMap<Arc<str>, Tally> =
        models.iter().map(|(model, input)| (Arc::from(*model), tally(*input))).collect();
    let mut totals = Tally::default();
    for model in models.values() {
        totals.add(model);
    }
    Arc::new(Snapshot { revision, ready: true, models, totals, ..Snapshot::default() })
}

fn board(first: &Arc<Snapshot>) -> Arc<Board> {
    let hub = Hub::new(Snapshot::clone(first), Statuses::default());
    Arc::new(Board::new(hub, Clock::fixed(UnixMillis(0)), Patience::default()))
}

fn read(frame: &Frame) -> ServerMessage {
    let start = frame.bytes().iter().position(|byte| *byte == b'{').unwrap();
    serde_json::from_slice(&frame.bytes()[start..]).unwrap()
}

/// The types and models of some messages.
fn names(frames: &[Frame]) -> Vec<String> {
    let name = |message| match message {
        ServerMessage::StatsUpdate { data, totals, .. } => {
            format!("{}={} of {}", data.model, data.row.input_tokens, totals.row.input_tokens)
        }
        ServerMessage::InitialData { data, .. } => format!("all {}", data.totals.row.input_tokens),
        ServerMessage::Resumed { updates, .. } => format!("resumed {updates}"),
        other => format!("{other:?}"),
    };
    frames.iter().map(read).map(name).collect()
}

/// What a client would hear next.
fn heard(joined: &mut Joined) -> Vec<String> {
    let mut heard = Vec::new();
    while let Ok(news) = joined.news.try_recv() {
        heard.push(match news {
            News::Update { frame, .. } => names(&[frame]).remove(0),
            News::Anew => "anew".to_owned(),
        });
    }
    heard
}

#[tokio::test]
async fn each_changed_model_is_told_once() {
    let board = board(&snapshot(1, &[("a", 1), ("b", 2)]));
    let mut joined = board.join(None);
    assert_eq!(names(&joined.greeting), ["all 3"]);
    assert_eq!(board.advance(&snapshot(1, &[("a", 1), ("b", 2)])), 0);
    assert_eq!(board.advance(&snapshot(4, &[("a", 1), ("b", 3), ("c", 5)])), 2);
    assert_eq!(heard(&mut joined), ["b=3 of 9", "c=5 of 9"]);
    assert_eq!(board.advance(&snapshot(5, &[("b", 3), ("c", 5)])), 1);
    assert_eq!(heard(&mut joined), ["a=0 of 8"], "what is gone is nothing");
    assert_eq!(names(&board.join(None).greeting), ["all 8"]);
}

#[tokio::test]
async fn too_much_at_once_and_a_restored_history_start_over() {
    let board = board(&snapshot(10, &[("a", 1)]));
    let mut joined = board.join(None);
    let names: Vec<String> = (0..=MOST).map(|n| format!("m{n}")).collect();
    let many: Vec<(&str, u64)> = names.iter().map(|name| (name.as_str(), 1)).collect();
    assert_eq!(board.advance(&snapshot(11, &many)), 1);
    assert_eq!(heard(&mut joined), ["anew"]);
    board.advance(&snapshot(7, &many));
    assert_eq!(heard(&mut joined), ["anew"]);
    let partial = Snapshot { ready: false, ..Snapshot::clone(&snapshot(7, &many)) };
    board.advance(&Arc::new(partial));
    assert_eq!(heard(&mut joined), ["anew"]);
}

#[tokio::test]
async fn a_client_that_comes_back_gets_what_it_missed() {
    let board = board(&snapshot(10, &[("a", 1), ("b", 1)]));
    drop(board.join(None));
    board.advance(&snapshot(12, &[("a", 2), ("b", 1)]));
    board.advance(&snapshot(15, &[("a", 2), ("b", 4)]));
    let since = |revision| names(&board.join(Some(revision)).greeting);
    assert_eq!(since(15), ["resumed 0"]);
    assert_eq!(since(12), ["resumed 1", "b=4 of 6"]);
    assert_eq!(since(14), ["resumed 1", "b=4 of 6"], "rather too much than too little");
    assert_eq!(since(10), ["resumed 2", "a=2 of 6", "b=4 of 6"]);
    assert_eq!(since(9), ["all 6"], "nobody looked then");
    assert_eq!(since(16), ["all 6"], "from another history");
    board.advance(&snapshot(13, &[("a", 2), ("b", 3)]));
    assert_eq!(since(12), ["all 5"], "a restored backup has revisions of its own");
    assert_eq!(since(13), ["resumed 0"]);
}

#[tokio::test]
async fn costs_are_left_out_where_they_are_off() {
    let first = snapshot(1, &[("a", 1)]);
    let text = |hub: Hub| {
        let board = Arc::new(Board::new(hub, Clock::fixed(UnixMillis(0)), Patience::default()));
        let greeting = board.join(None).greeting.remove(0);
        String::from_utf8_lossy(greeting.bytes()).into_owned()
    };
    let hub = || Hub::new(Snapshot::clone(&first), Statuses::default());
    assert!(text(hub()).contains("total_cost"));
    assert!(!text(hub().without_costs()).contains("cost"));
}
