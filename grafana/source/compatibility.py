"""What panels of published dashboards ask for, word for word, so that one can see that it is answered.

Each entry has the panel's title there, what it asks, its unit, and the words for the documentation. Panels that ask for
what transcripts do not hold are in docs/grafana.md.
"""

from model import choice, dashboard, data_source, lines, link, page, row, stat

OTEL = 'job="otel-collector"'
WHO = 'organization_id=~"$organization", user_email=~"$user"'
ALL = WHO + ', model=~"$model"'
COST, TOKENS = "claude_code_cost_usage_USD_total", "claude_code_token_usage_tokens_total"
SESSIONS = "claude_code_session_count_total"

# (dashboard, [(panel, unit, expression)])
PUBLISHED = [
    ("ColeMurray/claude-code-otel", "needs a scrape job that is called otel-collector", [
        ("Active Sessions (1h)", "short", f"sum(increase({SESSIONS}{{{OTEL}}}[1h]))"),
        ("Cost (Last Hour)", "currencyUSD", f"sum(increase({COST}{{{OTEL}}}[1h]))"),
        ("Token Usage (1h)", "short", f"sum(increase({TOKENS}{{{OTEL}}}[1h]))"),
        ("Cost by Model (Hourly)", "currencyUSD", f"sum by (model) (increase({COST}{{{OTEL}}}[1h]))"),
        ("Token Usage Rate by Type", "short", f"sum by (type) (rate({TOKENS}{{{OTEL}}}[5m]) * 60)"),
        ("API Requests by Model (5min rate)", "short", f"sum by (model) (changes({COST}{{{OTEL}}}[5m]))"),
    ]),
    ("anthropics/claude-code-monitoring-guide", "panels by user need the label user_id", [
        ("Total Cost", "currencyUSD", f"sum(increase({COST}[$__range]))"),
        ("Active Users", "short", f"count(count by (user_id)(increase({COST}[$__range]) > 0))"),
        ("Total Tokens", "short", f"sum(increase({TOKENS}[$__range]))"),
        ("Cost by Model", "currencyUSD", f"sum by (model)(increase({COST}[$__range]))"),
        ("Token Usage by Type", "short", f"sum by (type)(increase({TOKENS}[$__range]))"),
        ("Cost by User", "currencyUSD", f"sum by (user_id)(increase({COST}[$__range]))"),
    ]),
    ("grafana.com 25255", "needs the labels user_email and organization_id", [
        ("Users", "short", f"count(count by (user_email) (max_over_time({SESSIONS}{{{WHO}}}[$__range]))) or vector(0)"),
        ("Total Cost", "currencyUSD", f"sum(increase({COST}{{{ALL}}}[$__range]))"),
        ("Total Tokens", "short", f"sum(increase({TOKENS}{{{ALL}}}[$__range]))"),
        ("Tokens by Type", "short", f"sum(increase({TOKENS}{{{ALL}}}[$__range])) by (type)"),
        ("Top Users by Cost", "currencyUSD", f"topk(10, sum(increase({COST}{{{ALL}}}[$__range])) by (user_email))"),
        ("Top Users by Tokens", "short", f"topk(10, sum(increase({TOKENS}{{{ALL}}}[$__range])) by (user_email))"),
        ("Cost by Model", "currencyUSD", f"sum(increase({COST}{{{ALL}}}[$__range])) by (model)"),
        ("Cost Over Time", "currencyUSD", f"sum(rate({COST}{{{ALL}}}[$__rate_interval])) * 3600"),
        ("Cost by Model (time series)", "currencyUSD", f"sum(rate({COST}{{{ALL}}}[$__rate_interval])) by (model) * 3600"),
        ("Token Usage by Type", "short", f"sum(rate({TOKENS}{{{ALL}}}[$__rate_interval])) by (type)"),
        ("Token Usage by Model", "short", f"sum(rate({TOKENS}{{{ALL}}}[$__rate_interval])) by (model)"),
        ("Cost by query_source", "currencyUSD", f"sum(increase({COST}{{{ALL}}}[$__range])) by (query_source)"),
        ("Cache hit ratio", "percentunit",
         f"sum(rate({TOKENS}{{{ALL}, type=\"cacheRead\"}}[$__rate_interval])) / "
         f"sum(rate({TOKENS}{{{ALL}, type=~\"cacheRead|cacheCreation|input\"}}[$__rate_interval]))"),
    ]),
]


def _panel(of, panel, unit, expression):
    about = f"What the panel \u201c{panel}\u201d of {of} asks for, unchanged."
    if "$__rate_interval" in expression or "[5m]" in expression or "Hourly" in panel:
        return lines(panel, about, unit, expression, width=8, height=7)
    return stat(panel, about, unit, expression, height=5)


def build():
    whole = [
        row(f"{of}: {needs}", *(_panel(of, *panel) for panel in panels), opened=True) for of, needs, panels in PUBLISHED
    ]
    return dashboard(
        "claude-token-monitor-compatibility",
        "Claude Code dashboards elsewhere",
        "Queries of published Claude Code dashboards, unchanged. A panel without data here would have none there.",
        whole,
        [
            data_source(),
            choice("organization", "Organization", f"label_values({COST}, organization_id)", allValue=".*"),
            choice("user", "User", f'label_values({COST}{{organization_id=~"$organization"}}, user_email)', allValue=".*"),
            choice("model", "Model", f'label_values({TOKENS}{{organization_id=~"$organization"}}, model)', allValue=".*"),
            page(),
        ],
        [],
        [link("Live page", "${page:raw}/", "The program's own page, live")],
    )
