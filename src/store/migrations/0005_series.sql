-- Lifetime sums by project, like those by model in `series`: exact ones and the highest that were shown. `place` is a
-- project's place among the labels of sinks; it keeps it. Row 0 is for all projects without a place; what was shown
-- there stays there, and a project that gets a place later begins at nothing.
CREATE TABLE project_series (
    project               INTEGER PRIMARY KEY,  -- word; 0: all without a place
    place                 INTEGER UNIQUE,
    requests              INTEGER NOT NULL DEFAULT 0,
    input                 INTEGER NOT NULL DEFAULT 0,
    output                INTEGER NOT NULL DEFAULT 0,
    cache_write_5m        INTEGER NOT NULL DEFAULT 0,
    cache_write_1h        INTEGER NOT NULL DEFAULT 0,
    cache_read            INTEGER NOT NULL DEFAULT 0,
    searches              INTEGER NOT NULL DEFAULT 0,
    cost                  INTEGER NOT NULL DEFAULT 0,
    unpriced_tokens       INTEGER NOT NULL DEFAULT 0,
    shown_requests        INTEGER NOT NULL DEFAULT 0,
    shown_input           INTEGER NOT NULL DEFAULT 0,
    shown_output          INTEGER NOT NULL DEFAULT 0,
    shown_cache_write_5m  INTEGER NOT NULL DEFAULT 0,
    shown_cache_write_1h  INTEGER NOT NULL DEFAULT 0,
    shown_cache_read      INTEGER NOT NULL DEFAULT 0,
    shown_searches        INTEGER NOT NULL DEFAULT 0,
    shown_cost            INTEGER NOT NULL DEFAULT 0,
    shown_unpriced_tokens INTEGER NOT NULL DEFAULT 0
) STRICT;
INSERT INTO project_series (project, requests, input, output, cache_write_5m, cache_write_1h, cache_read, searches, cost,
    unpriced_tokens)
SELECT project, sum(requests), sum(input), sum(output), sum(cache_write_5m), sum(cache_write_1h), sum(cache_read),
    sum(searches), sum(cost), sum(unpriced_tokens)
FROM rollup GROUP BY project;
INSERT INTO project_series (project, requests, input, output, cache_write_5m, cache_write_1h, cache_read, searches, cost,
    unpriced_tokens)
SELECT 0, coalesce(sum(requests), 0), coalesce(sum(input), 0), coalesce(sum(output), 0),
    coalesce(sum(cache_write_5m), 0), coalesce(sum(cache_write_1h), 0), coalesce(sum(cache_read), 0),
    coalesce(sum(searches), 0), coalesce(sum(cost), 0), coalesce(sum(unpriced_tokens), 0)
FROM project_series;

-- Models that have a label of their own; all others share one.
CREATE TABLE model_place (
    model INTEGER PRIMARY KEY,                  -- word
    place INTEGER NOT NULL UNIQUE
) STRICT;

-- Responses by size: of the prompt (direction 0, caches included) and of the output (1). `responses` and `tokens` are
-- those of one class, `shown_…` those of this class and all smaller ones, at their highest.
CREATE TABLE request_size (
    direction       INTEGER NOT NULL,
    up_to           INTEGER NOT NULL,           -- tokens
    responses       INTEGER NOT NULL,
    tokens          INTEGER NOT NULL,
    shown_responses INTEGER NOT NULL,
    shown_tokens    INTEGER NOT NULL,
    PRIMARY KEY (direction, up_to)
) STRICT, WITHOUT ROWID;
INSERT INTO request_size
SELECT direction,
    CASE WHEN size <= 100 THEN 100 WHEN size <= 250 THEN 250 WHEN size <= 500 THEN 500 WHEN size <= 1000 THEN 1000
        WHEN size <= 2500 THEN 2500 WHEN size <= 5000 THEN 5000 WHEN size <= 10000 THEN 10000
        WHEN size <= 25000 THEN 25000 WHEN size <= 50000 THEN 50000 WHEN size <= 100000 THEN 100000
        WHEN size <= 200000 THEN 200000 WHEN size <= 500000 THEN 500000 WHEN size <= 1000000 THEN 1000000
        ELSE 9223372036854775807 END,
    count(*), sum(size), 0, 0
FROM (
    SELECT 0 AS direction, input + cache_write_5m + cache_write_1h + cache_read AS size FROM response
    UNION ALL
    SELECT 1, output FROM response
)
GROUP BY 1, 2;

-- Responses whose last known line did not say that they were complete.
INSERT INTO meta (key, value) SELECT 'unfinished', count(*) FROM response WHERE flags & 262144 = 0;
