-- The history. Narrow on purpose: names are numbers, prices are numbers, most columns take a byte or two.

CREATE TABLE meta (
    key   TEXT PRIMARY KEY,
    value ANY NOT NULL
) STRICT, WITHOUT ROWID;

-- Every model, session, project, branch and agent, and the words of speed, tier and region.
CREATE TABLE word (
    id   INTEGER PRIMARY KEY,
    text TEXT NOT NULL UNIQUE
) STRICT;

-- Prices in pico-USD a token with every modifier applied. A response refers to the card it was priced with, so its
-- cost can be explained kind by kind and never changes behind anybody's back.
CREATE TABLE card (
    id             INTEGER PRIMARY KEY,
    model          TEXT    NOT NULL,
    effective_date TEXT    NOT NULL,
    long_context   INTEGER NOT NULL,
    fast           INTEGER NOT NULL,
    us             INTEGER NOT NULL,
    batch          INTEGER NOT NULL,
    unusual        INTEGER NOT NULL,
    input          INTEGER NOT NULL,
    output         INTEGER NOT NULL,
    cache_write_5m INTEGER NOT NULL,
    cache_write_1h INTEGER NOT NULL,
    cache_read     INTEGER NOT NULL,
    search         INTEGER NOT NULL,
    UNIQUE (model, effective_date, long_context, fast, us, batch, unusual, input, output, cache_write_5m,
            cache_write_1h, cache_read, search)
) STRICT;

-- One row a response. The key is the revision: a correction gives the row a new one, so the log is the table itself
-- and costs no index.
CREATE TABLE response (
    revision       INTEGER PRIMARY KEY,
    id             BLOB    NOT NULL UNIQUE CHECK (length(id) = 16),
    at             INTEGER NOT NULL,            -- milliseconds UTC, of the earliest line
    source         INTEGER NOT NULL,            -- word
    model          INTEGER NOT NULL,            -- word
    session        INTEGER NOT NULL,            -- word
    project        INTEGER NOT NULL,            -- word
    branch         INTEGER,                     -- word
    agent          INTEGER,                     -- word
    input          INTEGER NOT NULL CHECK (input >= 0),
    output         INTEGER NOT NULL CHECK (output >= 0),
    cache_write_5m INTEGER NOT NULL CHECK (cache_write_5m >= 0),
    cache_write_1h INTEGER NOT NULL CHECK (cache_write_1h >= 0),
    cache_read     INTEGER NOT NULL CHECK (cache_read >= 0),
    searches       INTEGER,
    fetches        INTEGER,
    speed          INTEGER,                     -- word
    tier           INTEGER,                     -- word
    geo            INTEGER,                     -- word
    request_id     TEXT,
    card           INTEGER,                     -- card; NULL where the model has no price
    flags          INTEGER NOT NULL,
    usage_after    INTEGER NOT NULL,            -- the winning line's time, ms after `at`
    owner_after    INTEGER NOT NULL,            -- the owning line's time, ms after `at`
    fills          TEXT                         -- what other lines had to supply; nearly always NULL
) STRICT;
CREATE INDEX response_at ON response (at);

-- The claims behind message ids that were seen in more than one way (replays under another request, side questions,
-- gateways with a constant id): what `response` holds for them is derived from here.
CREATE TABLE variant (
    message BLOB NOT NULL,
    name    TEXT NOT NULL,
    record  TEXT NOT NULL,
    PRIMARY KEY (message, name)
) STRICT, WITHOUT ROWID;

-- What a correction or a retraction replaced, for whoever delivers changes.
CREATE TABLE correction (
    revision INTEGER PRIMARY KEY,
    id       BLOB    NOT NULL,
    prior    INTEGER NOT NULL,
    before   TEXT    NOT NULL
) STRICT;
CREATE INDEX correction_id ON correction (id, revision);

-- Quarter hours, UTC: fine enough for the days of every time zone. Retention never touches them.
CREATE TABLE rollup (
    quarter         INTEGER NOT NULL,           -- at / 900000
    model           INTEGER NOT NULL,           -- word
    project         INTEGER NOT NULL,           -- word
    sidechain       INTEGER NOT NULL,
    requests        INTEGER NOT NULL,
    input           INTEGER NOT NULL,
    output          INTEGER NOT NULL,
    cache_write_5m  INTEGER NOT NULL,
    cache_write_1h  INTEGER NOT NULL,
    cache_read      INTEGER NOT NULL,
    searches        INTEGER NOT NULL,
    cost            INTEGER NOT NULL,           -- pico-USD
    unpriced_tokens INTEGER NOT NULL,
    PRIMARY KEY (quarter, model, project, sidechain)
) STRICT, WITHOUT ROWID;

-- Lifetime sums by series, and the highest value that was ever shown of each (`shown_…`): a correction may lower the
-- former, a counter never.
CREATE TABLE series (
    model                 INTEGER NOT NULL,     -- word
    sidechain             INTEGER NOT NULL,
    requests              INTEGER NOT NULL,
    input                 INTEGER NOT NULL,
    output                INTEGER NOT NULL,
    cache_write_5m        INTEGER NOT NULL,
    cache_write_1h        INTEGER NOT NULL,
    cache_read            INTEGER NOT NULL,
    searches              INTEGER NOT NULL,
    cost                  INTEGER NOT NULL,
    unpriced_tokens       INTEGER NOT NULL,
    shown_requests        INTEGER NOT NULL,
    shown_input           INTEGER NOT NULL,
    shown_output          INTEGER NOT NULL,
    shown_cache_write_5m  INTEGER NOT NULL,
    shown_cache_write_1h  INTEGER NOT NULL,
    shown_cache_read      INTEGER NOT NULL,
    shown_searches        INTEGER NOT NULL,
    shown_cost            INTEGER NOT NULL,
    shown_unpriced_tokens INTEGER NOT NULL,
    PRIMARY KEY (model, sidechain)
) STRICT, WITHOUT ROWID;

-- Responses a session made on a UTC day.
CREATE TABLE session_day (
    session  INTEGER NOT NULL,                  -- word
    day      INTEGER NOT NULL,                  -- days since 1970-01-01
    requests INTEGER NOT NULL,
    PRIMARY KEY (session, day)
) STRICT, WITHOUT ROWID;
CREATE INDEX session_day_day ON session_day (day);

-- What Claude Code itself says a session cost. Shown beside our figure, never added to it.
CREATE TABLE reported_cost (
    session INTEGER PRIMARY KEY,                -- word
    at      INTEGER NOT NULL,
    usd     REAL    NOT NULL
) STRICT;

-- How far every file has been read; written in the transaction that stores what was read.
CREATE TABLE item (
    source     TEXT    NOT NULL,
    path       BLOB    NOT NULL,
    device     INTEGER NOT NULL,
    inode      INTEGER NOT NULL,
    size       INTEGER NOT NULL,
    mtime_ns   INTEGER NOT NULL,
    ctime_ns   INTEGER NOT NULL,
    offset     INTEGER NOT NULL CHECK (offset >= 0),
    generation INTEGER NOT NULL,
    head_len   INTEGER NOT NULL,
    head_hash  INTEGER NOT NULL,
    tail_hash  INTEGER NOT NULL,
    cursor     TEXT    NOT NULL,
    tally      TEXT    NOT NULL,
    gone_at    INTEGER,
    error      TEXT,
    PRIMARY KEY (source, path)
) STRICT, WITHOUT ROWID;

-- What each source did since the history began.
CREATE TABLE source (
    name            TEXT PRIMARY KEY,
    tally           TEXT    NOT NULL,
    new_responses   INTEGER NOT NULL,
    corrections     INTEGER NOT NULL,
    duplicates      INTEGER NOT NULL,
    below_retention INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Instants between which everything on disk was read: UTC days inside are covered by transcripts.
CREATE TABLE coverage (
    from_at INTEGER NOT NULL,
    to_at   INTEGER NOT NULL
) STRICT;

-- Somebody else's daily numbers. Kept apart from everything above.
CREATE TABLE estimate (
    origin         TEXT PRIMARY KEY,
    content_hash   INTEGER NOT NULL,
    last_day       TEXT,
    includes_cache INTEGER NOT NULL,
    taken_at       INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE estimate_day (
    origin         TEXT    NOT NULL,
    day            TEXT    NOT NULL,
    model          TEXT    NOT NULL,
    tokens         INTEGER NOT NULL,
    includes_cache INTEGER NOT NULL,
    PRIMARY KEY (origin, day, model)
) STRICT, WITHOUT ROWID;
CREATE TABLE estimate_lifetime (
    origin      TEXT    NOT NULL,
    model       TEXT    NOT NULL,
    input       INTEGER NOT NULL,
    output      INTEGER NOT NULL,
    cache_write INTEGER NOT NULL,
    cache_read  INTEGER NOT NULL,
    PRIMARY KEY (origin, model)
) STRICT, WITHOUT ROWID;

-- How far each delivery has got in the log. Retention keeps what is beyond the slowest of them.
CREATE TABLE cursor (
    name     TEXT PRIMARY KEY,
    revision INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
