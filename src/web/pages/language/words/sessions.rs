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
    }
}
