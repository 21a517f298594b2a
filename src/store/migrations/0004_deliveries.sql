-- What is known of each delivery beside how far it has got. `cursor` has a row for each one that is in use, and retention
-- waits for those; here is also what a delivery that was taken out of the configuration would go on from.
CREATE TABLE delivery (
    name            TEXT PRIMARY KEY,
    kind            TEXT    NOT NULL,
    target          TEXT    NOT NULL,           -- what the cursor is about
    wanted          TEXT    NOT NULL,           -- what the configuration names now
    tracks          INTEGER NOT NULL,           -- it has a cursor at all
    revision        INTEGER,                    -- everything up to here was dealt with; NULL before it has begun
    base            INTEGER NOT NULL DEFAULT 0, -- its leg through the log begins here,
    reach           INTEGER NOT NULL DEFAULT 0, -- and ends here; nothing beyond has been handed out
    generation      INTEGER NOT NULL DEFAULT 0, -- how often it was told to begin elsewhere
    since           INTEGER,                    -- until `replay_until`, responses before this instant are passed over
    replay_until    INTEGER NOT NULL DEFAULT 0,
    paused          INTEGER NOT NULL DEFAULT 0,
    memo            TEXT,                       -- what the delivery itself has to remember
    events          INTEGER NOT NULL DEFAULT 0,
    dead_letters    INTEGER NOT NULL DEFAULT 0,
    dropped         INTEGER NOT NULL DEFAULT 0,
    last_success_at INTEGER,
    failing_since   INTEGER,
    last_error      TEXT
) STRICT, WITHOUT ROWID;

-- Changes that a receiver refused for good. Names, counts and times, as in the history itself.
CREATE TABLE dead_letter (
    number   INTEGER PRIMARY KEY,
    name     TEXT    NOT NULL,                  -- delivery
    revision INTEGER NOT NULL,
    id       BLOB    NOT NULL,
    at       INTEGER NOT NULL,                  -- when it was given up
    reason   TEXT    NOT NULL,
    change   TEXT    NOT NULL                   -- JSON
) STRICT;
CREATE INDEX dead_letter_name ON dead_letter (name, number);
