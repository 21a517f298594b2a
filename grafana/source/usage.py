"""What was used: tokens, costs, models, projects, sessions, budgets."""

from model import (
    BAD, GOOD, WARN, bars, choice, dashboard, data_source, gauge, heat, lines, link, note, own, page, row, select, stat,
    steps, table,
)

LIST = "An estimate at API list prices of the day of each response, not what is billed."
RANGE = "Over the time range of the dashboard."
MODEL = 'model=~"$model"'
PROJECT = 'project=~"$project"'

TOKENS = select("claude_code_token_usage_tokens_total", MODEL)
COST = select("claude_code_cost_usage_USD_total", MODEL)
SESSIONS = select("claude_code_session_count_total")
REQUESTS = own("api_requests_total", MODEL)
OUTPUT = select("claude_code_token_usage_tokens_total", MODEL + ', type="output"')
UNCACHED = select("claude_code_token_usage_tokens_total", MODEL + ', type!="cacheRead"')
READ = select("claude_code_token_usage_tokens_total", MODEL + ', type="cacheRead"')
PROMPT = select("claude_code_token_usage_tokens_total", MODEL + ', type=~"cacheRead|cacheCreation|input"')


def speed(by, selected, times=1):
    """Growth in time by a label, without what was not used at all: a series may be there with nothing but zeros."""
    factor = f" * {times}" if times != 1 else ""
    return (f"sum by ({by}) (rate({selected}[$__rate_interval])){factor} "
            f"and on ({by}) sum by ({by}) (increase({selected}[$__range])) > 0")


def grown(by, selected, window="$__range"):
    """The same as totals."""
    return f"sum by ({by}) (increase({selected}[{window}])) > 0"


def now():
    share = f"sum(increase({READ}[$__range])) / sum(increase({PROMPT}[$__range]))"
    return row(
        "Overview",
        stat("Cost", f"{RANGE} {LIST}", "currencyUSD", f"sum(increase({COST}[$__range]))"),
        stat("Tokens", f"All four kinds together, cache reads included. {RANGE}", "short",
             f"sum(increase({TOKENS}[$__range]))"),
        stat("Requests", f"Responses of the API, each counted once. {RANGE}", "short",
             f"sum(increase({REQUESTS}[$__range]))"),
        stat("Sessions", f"Sessions with a first response. {RANGE} Not filtered by model.", "short",
             f"sum(increase({SESSIONS}[$__range]))"),
        stat("Prompt out of the cache", f"Share of prompt tokens that were read from a cache. {RANGE}", "percentunit",
             share),
        stat("Newest response", "When the newest response was made.", "dateTimeFromNow",
             f"max({own('last_event_timestamp_seconds')}) * 1000"),
        lines("Tokens a minute by kind",
              "How fast tokens are used. Cache reads are most of them and cost the least.", "short",
              [(f"sum by (type) (rate({TOKENS}[$__rate_interval])) * 60", "{{type}}")], stacked=True),
        lines("Cost an hour by model", f"How fast money would be spent. {LIST}", "currencyUSD",
              [(speed("model", COST, 3600), "{{model}}")], stacked=True),
        lines("Cost a day by model", f"A column is a day of UTC, written at its end. {LIST}", "currencyUSD",
              [(grown("model", COST, "1d"), "{{model}}")], width=24, stacked=True, columns=True,
              calcs=("sum",), interval="1d"),
        opened=True,
    )


def budgets():
    used = steps(GOOD, (0.8, WARN), (1, BAD))
    windows = [link("Five-hour windows", "${page:raw}/api/v1/stats/blocks", "Where they begin and end")]
    return row(
        "Budgets, projection and the five-hour window",
        gauge("Budget used", "Share of each budget that the present day, week or month has used. Budgets are set in "
              "[sinks.prometheus.budgets].", "percentunit",
              [(f"max by (period) ({own('budget_used_ratio')})", "{{period}}")], used, width=12),
        stat("Budgets", "What was set for a day, a week and a month.", "currencyUSD",
             [(f"max by (period) ({own('budget_USD')})", "{{period}}")], height=6),
        stat("A month at the pace of seven days",
             f"What the present month would come to if every day were like the mean of the last seven. {LIST} Too low "
             "while Prometheus has less than seven days.", "currencyUSD",
             f"sum(increase({COST}[7d])) / 7 * days_in_month()", height=6),
        stat("Today at the pace of the last hour",
             f"What the last 24 hours would come to with 24 hours like the last one. {LIST}", "currencyUSD",
             f"sum(rate({COST}[1h])) * 86400", height=6),
        stat("Cost of the last five hours",
             f"A sliding window as long as those in which subscriptions are limited. {LIST} The program's own answer "
             "has their estimated starts and ends.", "currencyUSD", f"sum(increase({COST}[5h]))", width=8,
             links=windows),
        stat("Tokens of the last five hours", "A sliding window, without cache reads, which hardly count for limits.",
             "short", f"sum(increase({UNCACHED}[5h]))", width=8, links=windows),
        stat("Five hours at the pace of the last", "What five hours like the last one come to. " + LIST, "currencyUSD",
             f"sum(rate({COST}[1h])) * 18000", width=8),
        lines("Cost in a sliding window of five hours", f"At each moment what the five hours before it cost. {LIST}",
              "currencyUSD", [(f"sum(increase({COST}[5h]))", "five hours")], width=16),
        lines("Budget used over time", "Each falls to nothing when its day, week or month ends.", "percentunit",
              [(f"max by (period) ({own('budget_used_ratio')})", "{{period}}")], width=8, calcs=("lastNotNull",)),
        opened=True,
    )


def models():
    def kind(name):
        return grown("model", select("claude_code_token_usage_tokens_total", f'{MODEL}, type="{name}"'))

    searches = (f"sum by (model) (increase({own('web_searches_total', MODEL)}[$__range])) "
                f"and on (model) {grown('model', REQUESTS)}")
    return row(
        "Models",
        table("By model", f"{RANGE} {LIST}", ["model"], [
            ("Cost", "currencyUSD", grown("model", COST)),
            ("Requests", "short", grown("model", REQUESTS)),
            ("Input", "short", kind("input")),
            ("Output", "short", kind("output")),
            ("Cache read", "short", kind("cacheRead")),
            ("Cache written", "short", kind("cacheCreation")),
            ("Web searches", "short", searches),
        ], "Cost"),
        lines("Tokens a minute by model", "All four kinds together.", "short",
              [(speed("model", TOKENS, 60), "{{model}}")], stacked=True),
        lines("Output tokens a minute by model", "What models wrote, thinking included.", "short",
              [(speed("model", OUTPUT, 60), "{{model}}")], stacked=True),
        lines("Cost an hour, main and sub-agents", f"Who asked: the conversation itself or an agent that it started. {LIST}",
              "currencyUSD", [(f"sum by (query_source) (rate({COST}[$__rate_interval])) * 3600", "{{query_source}}")],
              stacked=True),
        lines("Requests a minute by model", "Responses of the API, each counted once.", "short",
              [(speed("model", REQUESTS, 60), "{{model}}")], stacked=True),
    )


def cache():
    written = own("cache_creation_tokens_total", MODEL)
    share = (f"sum by (model) (rate({READ}[$__rate_interval])) / "
             f"(sum by (model) (rate({PROMPT}[$__rate_interval])) > 0)")
    return row(
        "Cache",
        lines("Prompt out of the cache by model", "Share of prompt tokens that were read from a cache. The more, the cheaper.",
              "percentunit", [(share, "{{model}}")], calcs=("mean",), defaults={"min": 0, "max": 1}),
        lines("Cache writes a minute by time to live", "An hour costs 2 times the input price, five minutes 1.25 times.",
              "short", [(f"sum by (ttl) (rate({written}[$__rate_interval])) * 60", "{{ttl}}")], stacked=True),
        bars("Read for each token written", "A cache of five minutes pays from 0.3 on, one of an hour from 1.1 on. "
             + RANGE, "short",
             [(f"sum by (model) (increase({READ}[$__range])) / "
               f"(sum by (model) (increase({written}[$__range])) > 0)", "{{model}}")]),
        bars("Cache writes by model and time to live", RANGE, "short",
             [(grown("model, ttl", written), "{{model}} {{ttl}}")]),
    )


def projects():
    cost, tokens = own("project_cost_USD_total", PROJECT), own("project_tokens_total", PROJECT)
    return row(
        "Projects",
        table("By project", f"{RANGE} {LIST} Projects without a place of their own share __other__. Not filtered by model.",
              ["project"], [
                  ("Cost", "currencyUSD", grown("project", cost)),
                  ("Tokens", "short", grown("project", tokens)),
                  ("Output", "short", grown("project", own("project_tokens_total", PROJECT + ', type="output"'))),
              ], "Cost", width=12,
              links=[{"title": "Projects in the API", "url": "${page:raw}/api/v1/stats/projects", "targetBlank": True}]),
        lines("Cost an hour by project", f"{LIST} Not filtered by model.", "currencyUSD",
              [(speed("project", cost, 3600), "{{project}}")], stacked=True),
        lines("Cost a day by project", f"A column is a day of UTC, written at its end. {LIST}", "currencyUSD",
              [(grown("project", cost, "1d"), "{{project}}")], width=24, stacked=True, columns=True,
              calcs=("sum",), interval="1d"),
    )


def sessions():
    cost, tokens = own("session_cost_USD", MODEL), own("session_tokens", MODEL)
    return row(
        "Sessions",
        table("Active sessions", f"What each has used since it began. {LIST} Needs sessions = \"active\" in "
              "[sinks.prometheus].", ["session_id", "project", "model"], [
                  ("Cost", "currencyUSD", f"sum by (session_id, project, model) ({cost})"),
                  ("Tokens", "short", f"sum by (session_id, project, model) ({tokens})"),
              ], "Cost", width=16,
              links=[{"title": "Session in the API", "url": "${page:raw}/api/v1/stats/sessions/${__value.raw}", "targetBlank": True}]),
        lines("Sessions begun a day", "A column is a day of UTC, written at its end.", "short",
              [(f"sum(increase({SESSIONS}[1d]))", "sessions")], width=8, columns=True, calcs=("sum",), interval="1d"),
    )


def requests():
    def bucket(direction):
        return own("request_tokens_bucket", f'direction="{direction}"')

    def quantiles(direction):
        spread = f"sum by (le) (rate({bucket(direction)}[$__rate_interval]))"
        return [(f"histogram_quantile({q}, {spread})", name) for q, name in [(0.5, "half"), (0.9, "90 %"), (0.99, "99 %")]]

    mean = (f"sum by (direction) (rate({own('request_tokens_sum')}[$__rate_interval])) / "
            f"(sum by (direction) (rate({own('request_tokens_count')}[$__rate_interval])) > 0)")
    return row(
        "Requests",
        lines("Size of prompts", "Tokens of whole prompts, caches included. So many requests have at most this size.", "short",
              quantiles("input"), calcs=("mean",)),
        heat("Sizes of prompts over time", "How many prompts were of which size.", "short",
             f"sum by (le) (increase({bucket('input')}[$__rate_interval]))"),
        lines("Size of outputs", "So many responses have at most this size.", "short", quantiles("output"), calcs=("mean",)),
        lines("Mean size", "Tokens of a request, its prompt and its output.", "short", [(mean, "{{direction}}")],
              calcs=("mean",)),
        lines("Web searches an hour", "Searches that are billed by number.", "short",
              [(f"sum by (model) (rate({own('web_searches_total', MODEL)}[$__rate_interval])) * 3600", "{{model}}")]),
        lines("Failed requests an hour", "Errors of the API that transcripts note. They are in no other number.", "short",
              [(f"sum by (source) (rate({own('ingest_api_errors_total')}[$__rate_interval])) * 3600", "{{source}}")]),
    )


def limits():
    return row(
        "What these numbers leave out",
        stat("Tokens without a price", f"Tokens of models that have no price. They are in no cost. {RANGE}", "short",
             [(f"sum by (model) (increase({own('unpriced_tokens_total', MODEL)}[$__range])) > 0 or "
               f"sum(increase({own('unpriced_tokens_total', MODEL)}[$__range]))", "{{model}}")],
             width=6, judged=steps(GOOD, (1, WARN))),
        stat("Unfinished responses", "Responses whose last known line did not say that they were complete. Their output may "
             "be too low.", "short", f"sum({own('ingest_partial_events')})", width=6),
        stat("Claude Code's own telemetry", "Whether it is switched on where the program runs. If both arrive in one place "
             "under the same names, sums over all jobs count twice.", "none",
             f"max({own('native_telemetry_detected')})", width=6,
             mappings=[{"type": "value", "options": {"0": {"text": "off", "index": 0}, "1": {"text": "on", "index": 1}}}]),
        stat("Names without a series of their own", "Models and projects that came to share one series in this time, and so "
             f"cannot be told apart. {RANGE}", "short",
             [(f"sum by (label) (increase({own('label_overflow_total')}[$__range]))", "{{label}}")], width=6),
        bars("Claude Code's own statistics", "Lifetime tokens as stats-cache.json states them: not de-duplicated, often old, "
             "and never a part of anything above.", "short",
             [(f"sum by (model) ({own('stats_cache_tokens', MODEL)})", "{{model}}")], width=24),
    )


def build():
    started = select("process_start_time_seconds")
    prices = own("price_table_timestamp_seconds")
    return dashboard(
        "claude-token-monitor-usage",
        "Claude Code usage",
        "Tokens, estimated costs, models, projects and sessions of Claude Code, as claude-token-monitor counts them.",
        [now(), budgets(), models(), cache(), projects(), sessions(), requests(), limits()],
        [
            data_source(),
            choice("job", "Job", "label_values(claude_token_monitor_build_info, job)"),
            choice("instance", "Instance", 'label_values(claude_token_monitor_build_info{job=~"$job"}, instance)'),
            choice("model", "Model", f"label_values({select('claude_code_token_usage_tokens_total')}, model)"),
            choice("project", "Project", f"label_values({own('project_tokens_total')}, project)"),
            page(),
        ],
        [
            note("Restarts", "blue", f"{started} * 1000", "Restart", "{{instance}}", own_time=True),
            note("Price table", "purple",
                 f"max by (job, instance) (changes({prices}[$__rate_interval])) > bool 0", "Another price table",
                 "{{instance}}: responses from here on are priced by another table"),
            note("Repricing", "orange",
                 f"sum by (job, instance) (increase({own('repriced_events_total')}[$__rate_interval])) > bool 0",
                 "History repriced", "{{instance}}: responses of the past were given other prices"),
        ],
        [
            link("Live page", "${page:raw}/", "The program's own page, live"),
            link("API", "${page:raw}/docs", "What the program can be asked"),
        ],
    )
