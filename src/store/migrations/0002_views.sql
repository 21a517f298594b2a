-- For whoever opens the file with another program: wide, readable, with costs in dollars. The program itself never
-- reads them.

CREATE TABLE model_pricing (
    id                   INTEGER PRIMARY KEY,
    model                TEXT    NOT NULL,
    input_price          REAL    NOT NULL,      -- USD per million tokens
    output_price         REAL    NOT NULL,
    cache_creation_price REAL    NOT NULL,      -- five-minute writes
    cache_creation_1h_price REAL NOT NULL,
    cache_read_price     REAL    NOT NULL,
    effective_date       TEXT    NOT NULL,
    is_active            INTEGER NOT NULL DEFAULT 1,
    UNIQUE (model, effective_date)
) STRICT;

CREATE VIEW token_usage AS
SELECT
    r.revision AS id,
    lower(hex(r.id)) AS event_key,
    strftime('%Y-%m-%dT%H:%M:%S', r.at / 1000, 'unixepoch') || printf('.%03dZ', r.at % 1000) AS timestamp,
    m.text AS model,
    r.input AS input_tokens,
    r.output AS output_tokens,
    r.cache_write_5m + r.cache_write_1h AS cache_creation_tokens,
    r.cache_read AS cache_read_tokens,
    r.cache_write_1h AS cache_creation_1h_tokens,
    r.input * c.input / 1e12 AS input_cost,
    r.output * c.output / 1e12 AS output_cost,
    (r.cache_write_5m * c.cache_write_5m + r.cache_write_1h * c.cache_write_1h) / 1e12 AS cache_creation_cost,
    r.cache_read * c.cache_read / 1e12 AS cache_read_cost,
    coalesce(r.searches, 0) * c.search / 1e12 AS web_search_cost,
    (r.input * c.input + r.output * c.output + r.cache_write_5m * c.cache_write_5m
        + r.cache_write_1h * c.cache_write_1h + r.cache_read * c.cache_read
        + coalesce(r.searches, 0) * c.search) / 1e12 AS total_cost,
    s.text AS session_id,
    p.text AS project_name,
    b.text AS git_branch,
    a.text AS agent_id,
    (r.flags >> 16) & 1 AS is_subagent,
    sp.text AS speed,
    ti.text AS service_tier,
    ge.text AS inference_geo,
    coalesce(r.searches, 0) AS web_search_requests,
    r.request_id AS request_id
FROM response r
JOIN word m ON m.id = r.model
JOIN word s ON s.id = r.session
JOIN word p ON p.id = r.project
LEFT JOIN word b ON b.id = r.branch
LEFT JOIN word a ON a.id = r.agent
LEFT JOIN word sp ON sp.id = r.speed
LEFT JOIN word ti ON ti.id = r.tier
LEFT JOIN word ge ON ge.id = r.geo
LEFT JOIN card c ON c.id = r.card;

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
    (SELECT count(*) FROM session_day s WHERE s.day = d.day AND s.requests > 0) AS session_count,
    d.requests,
    d.unpriced_tokens
FROM (
    SELECT
        quarter / 96 AS day,
        sum(input) AS total_input_tokens,
        sum(output) AS total_output_tokens,
        sum(cache_write_5m + cache_write_1h) AS total_cache_creation_tokens,
        sum(cache_read) AS total_cache_read_tokens,
        sum(cost) / 1e12 AS total_cost,
        sum(requests) AS requests,
        sum(unpriced_tokens) AS unpriced_tokens
    FROM rollup
    WHERE requests > 0
    GROUP BY quarter / 96
) d;
