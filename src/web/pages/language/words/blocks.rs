super::words! {
    /// `/blocks`, and what other pages say of the window that is going on
    Blocks {
        title: "Five-hour windows", "五小时窗口";
        nav: "5-hour windows", "五小时窗口";
        active: "Active five-hour window", "当前五小时窗口";
        none_active: "No window is going on.", "当前没有进行中的窗口。";
        last_ended: "The last one ended {at}.", "上一个窗口结束于 {at}。";
        begins: "The next response begins one.", "下一次响应将开始新的窗口。";
        estimate: "Estimates: limits belong to an account, and transcripts show only what was used here. A window begins at the full hour (UTC) before its first response and ends five hours later.", "均为估算：限额属于账户，而会话记录只包含此处的用量。窗口从首次响应之前的整点（UTC）开始，五小时后结束。";
        stated: "Claude Code said when this one ends.", "此窗口的结束时间由 Claude Code 给出。";
        reset: "Claude Code last said that a limit ends {at}.", "Claude Code 最近一次给出的限额结束时间为 {at}。";
        all_projects: "Windows count all projects and models together; the filters are left out here.", "窗口合并统计全部项目和模型；此处不应用筛选。";
        left: "Time left", "剩余时间";
        until: "until {end}", "至 {end}";
        left_until: "{left} left, until {end}", "剩余 {left}，至 {end}";
        used: "Tokens so far", "目前 Token";
        cost: "Cost so far", "目前费用";
        rate: "Average speed", "平均速度";
        rate_now: "Last 60 minutes", "最近 60 分钟";
        per_minute: "tokens/min", "Token/分钟";
        uncached: "{n} without cache reads", "不含缓存读取 {n}";
        per_hour: "{cost}/h", "{cost}/小时";
        no_rate: "after the second response", "第二次响应后可知";
        projection: "Projected at the end", "结束时预计";
        projection_hint: "if it goes on at the average speed", "按平均速度继续";
        of_limit: "{share} of your limit of {n} tokens", "您设定的限额 {n} Token 的 {share}";
        of_highest: "{share} of {n}, the highest window of the last 30 days", "最近 30 天最高窗口 {n} 的 {share}";
        no_measure: "nothing to compare with in the last 30 days", "最近 30 天内没有可比较的窗口";
        gauge: "{used} tokens so far, {expected} projected, of {whole}", "目前 {used} Token，预计 {expected}，共 {whole}";
        gauge_used: "{used} tokens so far, of {whole}", "目前 {used} Token，共 {whole}";
        own_limit: "Compare with a limit of your own, in tokens", "与自定限额比较（Token）";
        compare: "Compare", "比较";
        list: "Windows in this range", "此范围内的窗口";
        count: "{n} window|{n} windows", "{n} 个窗口";
        window: "Window", "窗口";
        between: "First and last response", "首末响应";
        without_reads: "Without cache reads", "不含缓存读取";
        speed: "Tokens/min", "Token/分钟";
        going_on: "active", "进行中";
        stated_tag: "stated end", "已告知结束";
        pause: "Pause of {duration}", "间隔 {duration}";
        chart: "Tokens by window", "每个窗口的 Token";
        chart_label: "Tokens by five-hour window, {n} windows, stacked by kind", "按类型堆叠的每个五小时窗口的 Token，共 {n} 个";
        chart_caption: "The last {n} windows that this range touches, by their beginning in {zone}, with all their responses. Pauses are left out.", "与此范围相交的最近 {n} 个窗口，按开始时间排列，时区 {zone}，含窗口内的全部响应。间隔不显示。";
        caption: "Windows that this range touches, with all their responses. Speed is the average between the first and the last response, where they are at least a minute apart. Times are in {zone}.", "与此范围相交的窗口，含其全部响应。速度为首次与最后一次响应之间的平均值，两者须相隔至少一分钟。时区为 {zone}。";
    }
}
