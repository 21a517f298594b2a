-- The sums of everything, told apart by nothing but time: what trends and heatmaps without a filter are made of, however
-- many models, sessions and projects there are.
CREATE TABLE sum_quarter (
    quarter         INTEGER PRIMARY KEY,        -- at / 900000, rounded down
    requests        INTEGER NOT NULL,
    input           INTEGER NOT NULL,
    output          INTEGER NOT NULL,
    cache_write_5m  INTEGER NOT NULL,
    cache_write_1h  INTEGER NOT NULL,
    cache_read      INTEGER NOT NULL,
    searches        INTEGER NOT NULL,
    cost            INTEGER NOT NULL,           -- pico-USD
    unpriced_tokens INTEGER NOT NULL
) STRICT;
INSERT INTO sum_quarter
SELECT quarter, sum(requests), sum(input), sum(output), sum(cache_write_5m), sum(cache_write_1h), sum(cache_read),
    sum(searches), sum(cost), sum(unpriced_tokens)
FROM rollup GROUP BY quarter;

CREATE TABLE sum_hour (
    hour            INTEGER PRIMARY KEY,        -- quarter / 4, rounded down
    requests        INTEGER NOT NULL,
    input           INTEGER NOT NULL,
    output          INTEGER NOT NULL,
    cache_write_5m  INTEGER NOT NULL,
    cache_write_1h  INTEGER NOT NULL,
    cache_read      INTEGER NOT NULL,
    searches        INTEGER NOT NULL,
    cost            INTEGER NOT NULL,
    unpriced_tokens INTEGER NOT NULL
) STRICT;
INSERT INTO sum_hour
SELECT hour, sum(requests), sum(input), sum(output), sum(cache_write_5m), sum(cache_write_1h), sum(cache_read),
    sum(searches), sum(cost), sum(unpriced_tokens)
FROM model_hour GROUP BY hour;

CREATE TABLE sum_day (
    day             INTEGER PRIMARY KEY,        -- quarter / 96, rounded down: a UTC day
    requests        INTEGER NOT NULL,
    input           INTEGER NOT NULL,
    output          INTEGER NOT NULL,
    cache_write_5m  INTEGER NOT NULL,
    cache_write_1h  INTEGER NOT NULL,
    cache_read      INTEGER NOT NULL,
    searches        INTEGER NOT NULL,
    cost            INTEGER NOT NULL,
    unpriced_tokens INTEGER NOT NULL
) STRICT;
INSERT INTO sum_day
SELECT day, sum(requests), sum(input), sum(output), sum(cache_write_5m), sum(cache_write_1h), sum(cache_read),
    sum(searches), sum(cost), sum(unpriced_tokens)
FROM model_day GROUP BY day;

-- A session's agents, without its main thread.
CREATE INDEX response_agent ON response (session, agent, at) WHERE agent IS NOT NULL;
