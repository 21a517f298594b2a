"""What dashboards are made of: rows, panels and variables, as Grafana's JSON (schema 42) has them.

A dashboard is a list of rows, a row a list of panels. Places and numbers of panels follow from their order.
"""

SCHEMA = 42
WIDTH = 24
TAG = "claude-token-monitor"
SOURCE = {"type": "prometheus", "uid": "${datasource}"}

# Every selector has these, so that the two variables hold for all of a dashboard.
CHOSEN = 'job=~"$job", instance=~"$instance"'

# The order of grey, green, yellow and red in every panel that judges.
NEUTRAL, GOOD, WARN, BAD = "text", "green", "yellow", "red"


def select(name, more=""):
    """The series of a family that the variables at the top choose."""
    return name + "{" + CHOSEN + (", " + more if more else "") + "}"


def own(name, more=""):
    """A family of ours."""
    return select("claude_token_monitor_" + name, more)


def steps(base, *bounds):
    """Colours from bounds on."""
    rest = [{"color": color, "value": value} for value, color in bounds]
    return {"mode": "absolute", "steps": [{"color": base, "value": None}, *rest]}


def words(*pairs):
    """Numbers that are shown as words in a colour."""
    options = {str(n): {"text": text, "color": color, "index": i} for i, (n, text, color) in enumerate(pairs)}
    return [{"type": "value", "options": options}]


def _targets(queries, instant, form):
    if isinstance(queries, str):
        queries = [(queries, "__auto")]
    return [
        {
            "datasource": SOURCE,
            "editorMode": "code",
            "expr": expression,
            "format": form,
            "instant": instant,
            "legendFormat": legend,
            "range": not instant,
            "refId": chr(ord("A") + i),
        }
        for i, (expression, legend) in enumerate(queries)
    ]


def _panel(kind, title, about, unit, queries, size, instant=False, form="time_series", **more):
    defaults = {"color": {"mode": more.pop("color", "palette-classic")}, "mappings": more.pop("mappings", [])}
    defaults |= {"thresholds": more.pop("thresholds", steps(NEUTRAL)), "unit": unit} | more.pop("defaults", {})
    defaults["custom"] = more.pop("custom", {})
    panel = {
        "type": kind,
        "title": title,
        "description": about,
        "datasource": SOURCE,
        "fieldConfig": {"defaults": defaults, "overrides": more.pop("overrides", [])},
        "options": more.pop("options", {}),
        "targets": _targets(queries, instant, form),
        "size": size,
    }
    interval = more.pop("interval", None)
    if interval:
        panel["interval"] = interval
    return panel | more


def _last():
    return {"calcs": ["lastNotNull"], "fields": "", "values": False}


def stat(title, about, unit, queries, width=4, height=4, judged=None, **more):
    """One number, or one for each series. It is coloured only where it judges."""
    options = {
        "colorMode": "value" if judged or "mappings" in more else "none",
        "graphMode": "none",
        "justifyMode": "auto",
        "orientation": "auto",
        "reduceOptions": _last(),
        "textMode": more.pop("text", "auto"),
        "wideLayout": True,
    }
    more.setdefault("thresholds", judged or steps(NEUTRAL))
    return _panel("stat", title, about, unit, queries, (width, height), True, color="thresholds", options=options, **more)


def gauge(title, about, unit, queries, judged, width=8, height=6, **more):
    """A share of something whole."""
    options = {
        "minVizHeight": 75,
        "minVizWidth": 75,
        "orientation": "auto",
        "reduceOptions": _last(),
        "showThresholdLabels": False,
        "showThresholdMarkers": True,
        "sizing": "auto",
    }
    more = {"defaults": {"min": 0, "max": 1}, **more}
    return _panel("gauge", title, about, unit, queries, (width, height), True, color="thresholds", thresholds=judged,
                  options=options, **more)


def bars(title, about, unit, queries, width=12, height=8, **more):
    """The largest first, side by side."""
    options = {
        "displayMode": "basic",
        "maxVizHeight": 24,
        "minVizHeight": 12,
        "minVizWidth": 8,
        "namePlacement": "auto",
        "orientation": "horizontal",
        "reduceOptions": _last(),
        "showUnfilled": False,
        "sizing": "auto",
        "valueMode": "text",
    }
    more.setdefault("color", "palette-classic")
    return _panel("bargauge", title, about, unit, queries, (width, height), True, options=options, **more)


def lines(title, about, unit, queries, width=12, height=8, stacked=False, columns=False, calcs=("mean", "max"), **more):
    """What happened over time; columns for whole days."""
    custom = {
        "drawStyle": "bars" if columns else "line",
        "fillOpacity": 70 if columns else 20 if stacked else 8,
        "lineWidth": 1,
        "pointSize": 4,
        "showPoints": "never",
        "spanNulls": False,
        "stacking": {"group": "A", "mode": "normal" if stacked else "none"},
    }
    options = {
        "legend": {"calcs": list(calcs), "displayMode": "table", "placement": "bottom", "showLegend": True},
        "tooltip": {"hideZeros": True, "mode": "multi", "sort": "desc"},
    }
    more.setdefault("defaults", {"min": 0})
    return _panel("timeseries", title, about, unit, queries, (width, height), custom=custom, options=options, **more)


def states(title, about, queries, mappings, width=12, height=6):
    """A line for each thing, coloured by what it was at a time."""
    custom = {"fillOpacity": 70, "lineWidth": 0}
    options = {
        "alignValue": "left",
        "legend": {"calcs": [], "displayMode": "list", "placement": "bottom", "showLegend": False},
        "mergeValues": True,
        "rowHeight": 0.8,
        "showValue": "never",
        "tooltip": {"mode": "single", "sort": "none"},
    }
    return _panel("state-timeline", title, about, "none", queries, (width, height), color="thresholds",
                  mappings=mappings, custom=custom, options=options)


def heat(title, about, unit, query, width=12, height=8):
    """How a histogram's values are spread over time."""
    options = {
        "calculate": False,
        "cellGap": 1,
        "color": {
            "exponent": 0.5, "fill": "blue", "mode": "scheme", "reverse": False, "scale": "exponential", "scheme": "Blues",
            "steps": 32,
        },
        "filterValues": {"le": 1e-9},
        "legend": {"show": True},
        "rowsFrame": {"layout": "auto"},
        "tooltip": {"mode": "single", "showColorScale": False, "yHistogram": False},
        "yAxis": {"axisPlacement": "left", "reverse": False, "unit": unit},
    }
    return _panel("heatmap", title, about, unit, [(query, "{{le}}")], (width, height), form="heatmap", options=options)


def table(title, about, by, columns, sort, width=24, height=8, links=None):
    """A row for each value of the labels `by`; columns are (name, unit, expression)."""
    queries = [(expression, "__auto") for _, _, expression in columns]
    overrides, renamed, order = [], {}, {}
    for i, label in enumerate(by):
        renamed[label], order[label] = label.removesuffix("_id").capitalize(), i
    for i, (name, unit, _) in enumerate(columns):
        value = f"Value #{chr(ord('A') + i)}" if len(columns) > 1 else "Value"
        renamed[value], order[value] = name, len(by) + i
        properties = [{"id": "unit", "value": unit}]
        overrides.append({"matcher": {"id": "byName", "options": name}, "properties": properties})
    if links:
        first = {"id": "byName", "options": renamed[by[0]]}
        overrides.append({"matcher": first, "properties": [{"id": "links", "value": links}]})
    transformations = [
        {"id": "merge", "options": {}},
        {"id": "organize", "options": {"excludeByName": {"Time": True}, "indexByName": order, "renameByName": renamed}},
    ]
    options = {"cellHeight": "sm", "showHeader": True, "sortBy": [{"desc": True, "displayName": sort}]}
    return _panel("table", title, about, "short", queries, (width, height), True, "table", overrides=overrides,
                  options=options, transformations=transformations, custom={"align": "auto", "filterable": False})


def row(title, *panels, opened=False):
    """Panels under a heading. One that is not opened is loaded when somebody opens it."""
    return {"title": title, "panels": panels, "opened": opened}


def choice(name, label, query, **more):
    """A variable whose values a query finds; all of them unless somebody chooses."""
    return {
        "type": "query",
        "name": name,
        "label": label,
        "datasource": SOURCE,
        "definition": query,
        "query": {"qryType": 1, "query": query, "refId": "PrometheusVariableQueryEditor-VariableQuery"},
        "current": {"selected": True, "text": ["All"], "value": ["$__all"]},
        "includeAll": True,
        "multi": True,
        "allValue": ".+",
        "refresh": 2,
        "regex": "",
        "sort": 1,
        "options": [],
        "hide": 0,
        "skipUrlSync": False,
    } | more


def data_source():
    """The variable with the data source."""
    return {
        "type": "datasource",
        "name": "datasource",
        "label": "Data source",
        "query": "prometheus",
        "current": {"selected": True, "text": "default", "value": "default"},
        "includeAll": False,
        "multi": False,
        "options": [],
        "refresh": 1,
        "regex": "",
        "hide": 0,
        "skipUrlSync": False,
    }


def page():
    """The address of our own pages, for links."""
    address = "http://127.0.0.1:51888"
    return {
        "type": "textbox",
        "name": "page",
        "label": "Page",
        "description": "Where claude-token-monitor itself is reached, for links to its pages.",
        "query": address,
        "current": {"selected": True, "text": address, "value": address},
        "options": [{"selected": True, "text": address, "value": address}],
        "hide": 0,
        "skipUrlSync": False,
    }


def note(name, color, expression, title, text, own_time=False, enable=True):
    """Marks on the time axis: where a query is 1, or at the times that are its values."""
    return {
        "name": name,
        "datasource": SOURCE,
        "enable": enable,
        "hide": False,
        "iconColor": color,
        "target": {"refId": "Anno", "expr": expression, "interval": "15s"},
        # The same for Grafana before 12.
        "expr": expression,
        "step": "15s",
        "titleFormat": title,
        "textFormat": text,
        "useValueForTime": own_time,
    }


def link(title, url, about):
    """A link to a page of ours, at the top of a dashboard or of a panel."""
    return {
        "type": "link",
        "title": title,
        "tooltip": about,
        "url": url,
        "icon": "external link",
        "targetBlank": True,
        "asDropdown": False,
        "includeVars": False,
        "keepTime": False,
        "tags": [],
    }


def _siblings():
    return {
        "type": "dashboards",
        "title": "Claude Code dashboards",
        "tooltip": "The other dashboards of claude-token-monitor",
        "url": "",
        "icon": "dashboard",
        "targetBlank": False,
        "asDropdown": False,
        "includeVars": True,
        "keepTime": True,
        "tags": [TAG],
    }


def _place(rows):
    """Gives every panel its number and its place, from left to right and from top to bottom."""
    placed, number, top = [], 0, 0
    for one in rows:
        number += 1
        head = {"type": "row", "id": number, "title": one["title"], "collapsed": not one["opened"], "panels": []}
        head["gridPos"] = {"h": 1, "w": WIDTH, "x": 0, "y": top}
        left, line, height, inside = 0, top + 1, 0, []
        for panel in one["panels"]:
            number += 1
            panel = dict(panel)
            w, h = panel.pop("size")
            if left + w > WIDTH:
                left, line, height = 0, line + height, 0
            inside.append({"id": number, "gridPos": {"h": h, "w": w, "x": left, "y": line}} | panel)
            left, height = left + w, max(height, h)
        if one["opened"]:
            placed += [head, *inside]
            top = line + height
        else:
            placed.append(head | {"panels": inside})
            top += 1
    return placed


def dashboard(uid, title, about, rows, variables, annotations, links, span="now-7d", refresh="1m"):
    """The whole file."""
    builtin = {
        "builtIn": 1,
        "datasource": {"type": "grafana", "uid": "-- Grafana --"},
        "enable": True,
        "hide": True,
        "iconColor": "rgba(0, 211, 255, 1)",
        "name": "Annotations & Alerts",
        "type": "dashboard",
    }
    return {
        "uid": uid,
        "id": None,
        "title": title,
        "description": about,
        "tags": [TAG, "claude-code"],
        "schemaVersion": SCHEMA,
        "version": 1,
        "editable": False,
        "graphTooltip": 1,
        "refresh": refresh,
        "time": {"from": span, "to": "now"},
        "timepicker": {},
        "timezone": "browser",
        "weekStart": "",
        "fiscalYearStartMonth": 0,
        "preload": False,
        "links": [_siblings(), *links],
        "annotations": {"list": [builtin, *annotations]},
        "templating": {"list": variables},
        "panels": _place(rows),
    }
