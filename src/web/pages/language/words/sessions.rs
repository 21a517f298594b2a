super::words! {
    /// `/sessions` and `/sessions/{id}`
    Sessions {
        title: "Sessions", "会话";
        one: "Session", "会话";
        count: "{n} session|{n} sessions", "{n} 个会话";
        caption: "Times and numbers are of the responses in this range, in {zone}. Active means a response within the last {minutes} minutes.", "时间与数字只计此范围内的响应，时区为 {zone}。“进行中”指最近 {minutes} 分钟内有响应。";
        started: "Started", "开始时间";
        last: "Last response", "最近响应";
        duration: "Duration", "时长";
        models: "Models", "模型";
        active: "active", "进行中";
        find: "Find a session", "查找会话";
        find_hint: "Beginning of an id, or part of a project", "会话 ID 的开头，或项目名称的一部分";
        search: "Search", "搜索";
        clear_search: "Clear the search", "清除搜索";
        none_found: "No session in this range begins with “{text}” or belongs to a project of that name.", "此范围内没有 ID 以“{text}”开头或属于该名称项目的会话。";
        too_many: "More than {n} sessions begin with “{text}”. Type more of the id.", "以“{text}”开头的会话超过 {n} 个，请输入更长的 ID。";
        whole: "Over all time, whatever the range. Times are in {zone}.", "统计全部时间，与所选范围无关。时区为 {zone}。";
        not_exact: "The detail has been removed, so times are known to the quarter hour.", "明细已被移除，时间精确到一刻钟。";
        branches: "Branches", "分支";
        subagents: "By sub-agents", "子代理";
        reported: "Claude Code’s own figure", "Claude Code 自报费用";
        over_time: "Tokens over time", "Token 随时间的变化";
        chart_label: "Tokens of the session, {n} intervals, stacked by kind", "会话的 Token，按类型堆叠，共 {n} 个时段";
        chart_caption: "Tokens by the time at which responses began, in steps of {step}, in {zone}.", "按响应开始的时间统计的 Token，每段 {step}，时区 {zone}。";
        step_day: "a day", "一天";
        step_hour: "an hour", "一小时";
        time: "Time", "时间";
        agents: "Agents", "代理";
        agent: "Agent", "代理";
        main: "Main conversation", "主对话";
        agents_caption: "Of responses that still have their detail, the first to respond first.", "仅含仍有明细的响应，按首次响应的先后排列。";
        all: "All sessions", "全部会话";
    }
}
