super::words! {
    /// `/live`, and the newest responses on other pages
    Live {
        title: "Live", "实时";
        everything: "This page shows all projects and models; the filters are left out here.", "本页显示全部项目和模型；此处不应用筛选。";
        five_minutes: "Last 5 minutes", "最近 5 分钟";
        an_hour: "Last 60 minutes", "最近 60 分钟";
        per_minute: "tokens a minute", "Token/分钟";
        used: "{tokens} tokens in {responses}", "{responses}，共 {tokens} Token";
        responses: "{n} response|{n} responses", "{n} 次响应";
        reading: "Reading", "读取";
        scanning: "First scan", "首次扫描";
        native: "As files change", "文件变化即读取";
        poll: "Every few seconds", "每隔几秒读取";
        files: "{n} transcript|{n} transcripts", "{n} 个会话记录";
        newest: "Newest response", "最新响应";
        ago: "{time} ago", "{time}前";
        minutes: "Tokens by minute", "每分钟 Token";
        chart_label: "Tokens by minute, the last 60 minutes, stacked by kind", "按类型堆叠的每分钟 Token，最近 60 分钟";
        chart_caption: "Tokens of all responses of the last 60 minutes, each counted when it began, in {zone}. The last column is still going on.", "最近 60 分钟所有响应的 Token，按各响应开始的时间统计，时区 {zone}。最后一列尚未结束。";
        minute: "Minute", "分钟";
        quiet: "Nothing in the last 60 minutes. The newest response is from {newest}.", "最近 60 分钟没有响应。最新的响应来自 {newest}。";
        active: "Active sessions", "活跃会话";
        no_session: "No response in the last 10 minutes.", "最近 10 分钟没有响应。";
        tail: "Newest responses", "最新响应";
        tail_caption: "Every response once, the newest first. Times are in {zone}. What was asked and answered is never kept.", "每次响应一行，最新的在前。时区为 {zone}。不保存任何对话内容。";
        pause: "Pause", "暂停";
        pause_hint: "Keep these rows as they are", "保持这些行不变";
        time: "Time", "时间";
        session: "Session", "会话";
        subagent: "sub-agent", "子代理";
    }
}
