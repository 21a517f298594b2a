-- Sums that can answer every question without looking at responses: by quarter hour and by day with everything that a
-- response is told apart by, and by hour and by day with what matters to money alone. Retention never touches them.
--
-- 0 stands for none or unknown: no branch, no card (a model without a price), and all that is not known any more of
-- responses whose detail had been removed before these tables were there. `size` is how many of the prompt sizes
-- 100,000 and 200,000 the prompt exceeded. Rows without a response are not kept.

-- How a session's responses are found: its first, its last, its agents, and a page of it.
CREATE INDEX response_session ON response (session, at);

CREATE TABLE rollup_before (
    quarter INTEGER, model INTEGER, project INTEGER, sidechain INTEGER, requests INTEGER, input INTEGER, output INTEGER,
    cache_write_5m INTEGER, cache_write_1h INTEGER, cache_read INTEGER, searches INTEGER, cost INTEGER,
    unpriced_tokens INTEGER
) STRICT;
INSERT INTO rollup_before SELECT * FROM rollup;
DROP TABLE rollup;

CREATE TABLE rollup (
    quarter         INTEGER NOT NULL,           -- at / 900000, rounded down
    session         INTEGER NOT NULL,           -- word
    project         INTEGER NOT NULL,           -- word
    branch          INTEGER NOT NULL,           -- word
    model           INTEGER NOT NULL,           -- word
    sidechain       INTEGER NOT NULL,
    source          INTEGER NOT NULL,           -- word
    card            INTEGER NOT NULL,           -- card
    size            INTEGER NOT NULL,
    requests        INTEGER NOT NULL,
    input           INTEGER NOT NULL,
    output          INTEGER NOT NULL,
    cache_write_5m  INTEGER NOT NULL,
    cache_write_1h  INTEGER NOT NULL,
    cache_read      INTEGER NOT NULL,
    searches        INTEGER NOT NULL,
    cost            INTEGER NOT NULL,           -- pico-USD
    unpriced_tokens INTEGER NOT NULL,
    PRIMARY KEY (quarter, session, project, branch, model, sidechain, source, card, size)
) STRICT, WITHOUT ROWID;

-- What is there is summed up again ...
INSERT INTO rollup
SELECT (r.at - ((r.at % 900000) + 900000) % 900000) / 900000 AS quarter, r.session, r.project, coalesce(r.branch, 0),
    r.model, (r.flags >> 16) & 1, r.source, coalesce(r.card, 0),
    (r.input + r.cache_write_5m + r.cache_write_1h + r.cache_read > 100000)
        + (r.input + r.cache_write_5m + r.cache_write_1h + r.cache_read > 200000),
    count(*), sum(r.input), sum(r.output), sum(r.cache_write_5m), sum(r.cache_write_1h), sum(r.cache_read),
    sum(coalesce(r.searches, 0)),
    sum(coalesce(r.input * c.input + r.output * c.output + r.cache_write_5m * c.cache_write_5m
        + r.cache_write_1h * c.cache_write_1h + r.cache_read * c.cache_read + coalesce(r.searches, 0) * c.search, 0)),
    sum(iif(r.card IS NULL, r.input + r.output + r.cache_write_5m + r.cache_write_1h + r.cache_read, 0))
FROM response r LEFT JOIN card c ON c.id = r.card
GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9;

-- ... and of what is not, the sums that were known stay.
INSERT INTO rollup
SELECT b.quarter, 0, b.project, 0, b.model, b.sidechain, 0, 0, 0,
    b.requests - coalesce(d.requests, 0), b.input - coalesce(d.input, 0), b.output - coalesce(d.output, 0),
    b.cache_write_5m - coalesce(d.cache_write_5m, 0), b.cache_write_1h - coalesce(d.cache_write_1h, 0),
    b.cache_read - coalesce(d.cache_read, 0), b.searches - coalesce(d.searches, 0), b.cost - coalesce(d.cost, 0),
    b.unpriced_tokens - coalesce(d.unpriced_tokens, 0)
FROM rollup_before b
LEFT JOIN (
    SELECT quarter, model, project, sidechain, sum(requests) AS requests, sum(input) AS input, sum(output) AS output,
        sum(cache_write_5m) AS cache_write_5m, sum(cache_write_1h) AS cache_write_1h, sum(cache_read) AS cache_read,
        sum(searches) AS searches, sum(cost) AS cost, sum(unpriced_tokens) AS unpriced_tokens
    FROM rollup GROUP BY quarter, model, project, sidechain
) d ON d.quarter = b.quarter AND d.model = b.model AND d.project = b.project AND d.sidechain = b.sidechain
WHERE b.requests > coalesce(d.requests, 0);
DROP TABLE rollup_before;

CREATE TABLE rollup_day (
    day             INTEGER NOT NULL,           -- quarter / 96, rounded down: a UTC day
    session         INTEGER NOT NULL,
    project         INTEGER NOT NULL,
    branch          INTEGER NOT NULL,
    model           INTEGER NOT NULL,
    sidechain       INTEGER NOT NULL,
    source          INTEGER NOT NULL,
    card            INTEGER NOT NULL,
    size            INTEGER NOT NULL,
    requests        INTEGER NOT NULL,
    input           INTEGER NOT NULL,
    output          INTEGER NOT NULL,
    cache_write_5m  INTEGER NOT NULL,
    cache_write_1h  INTEGER NOT NULL,
    cache_read      INTEGER NOT NULL,
    searches        INTEGER NOT NULL,
    cost            INTEGER NOT NULL,
    unpriced_tokens INTEGER NOT NULL,
    PRIMARY KEY (day, session, project, branch, model, sidechain, source, card, size)
) STRICT, WITHOUT ROWID;
INSERT INTO rollup_day
SELECT (quarter - ((quarter % 96) + 96) % 96) / 96, session, project, branch, model, sidechain, source, card, size,
    sum(requests), sum(input), sum(output), sum(cache_write_5m), sum(cache_write_1h), sum(cache_read), sum(searches),
    sum(cost), sum(unpriced_tokens)
FROM rollup GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9;

CREATE TABLE model_hour (
    hour            INTEGER NOT NULL,           -- quarter / 4, rounded down
    model           INTEGER NOT NULL,
    sidechain       INTEGER NOT NULL,
    source          INTEGER NOT NULL,
    card            INTEGER NOT NULL,
    size            INTEGER NOT NULL,
    requests        INTEGER NOT NULL,
    input           INTEGER NOT NULL,
    output          INTEGER NOT NULL,
    cache_write_5m  INTEGER NOT NULL,
    cache_write_1h  INTEGER NOT NULL,
    cache_read      INTEGER NOT NULL,
    searches        INTEGER NOT NULL,
    cost            INTEGER NOT NULL,
    unpriced_tokens INTEGER NOT NULL,
    PRIMARY KEY (hour, model, sidechain, source, card, size)
) STRICT, WITHOUT ROWID;
INSERT INTO model_hour
SELECT (quarter - ((quarter % 4) + 4) % 4) / 4, model, sidechain, source, card, size,
    sum(requests), sum(input), sum(output), sum(cache_write_5m), sum(cache_write_1h), sum(cache_read), sum(searches),
    sum(cost), sum(unpriced_tokens)
FROM rollup GROUP BY 1, 2, 3, 4, 5, 6;

CREATE TABLE model_day (
    day             INTEGER NOT NULL,
    model           INTEGER NOT NULL,
    sidechain       INTEGER NOT NULL,
    source          INTEGER NOT NULL,
    card            INTEGER NOT NULL,
    size            INTEGER NOT NULL,
    requests        INTEGER NOT NULL,
    input           INTEGER NOT NULL,
    output          INTEGER NOT NULL,
    cache_write_5m  INTEGER NOT NULL,
    cache_write_1h  INTEGER NOT NULL,
    cache_read      INTEGER NOT NULL,
    searches        INTEGER NOT NULL,
    cost            INTEGER NOT NULL,
    unpriced_tokens INTEGER NOT NULL,
    PRIMARY KEY (day, model, sidechain, source, card, size)
) STRICT, WITHOUT ROWID;
INSERT INTO model_day
SELECT (hour - ((hour % 24) + 24) % 24) / 24, model, sidechain, source, card, size,
    sum(requests), sum(input), sum(output), sum(cache_write_5m), sum(cache_write_1h), sum(cache_read), sum(searches),
    sum(cost), sum(unpriced_tokens)
FROM model_hour GROUP BY 1, 2, 3, 4, 5, 6;

DELETE FROM session_day WHERE requests <= 0;

DROP VIEW daily_summary;
CREATE VIEW daily_summary AS
SELECT
    d.day + 1 AS id,
    date(d.day * 86400, 'unixepoch') AS date,
    d.total_input_tokens,
    d.total_output_tokens,
    d.total_cache_creation_tokens,
    d.total_cache_read_tokens,
    d.total_cost,
    CASE WHEN d.total_cache_read_tokens + d.total_input_tokens > 0
        THEN CAST(d.total_cache_read_tokens AS REAL) / (d.total_cache_read_tokens + d.total_input_tokens)
        ELSE 0.0 END AS cache_hit_rate,
    (SELECT count(*) FROM session_day s WHERE s.day = d.day) AS session_count,
    d.requests,
    d.unpriced_tokens
FROM (
    SELECT
        day,
        sum(input) AS total_input_tokens,
        sum(output) AS total_output_tokens,
        sum(cache_write_5m + cache_write_1h) AS total_cache_creation_tokens,
        sum(cache_read) AS total_cache_read_tokens,
        sum(cost) / 1e12 AS total_cost,
        sum(requests) AS requests,
        sum(unpriced_tokens) AS unpriced_tokens
    FROM model_day
    GROUP BY day
) d;
