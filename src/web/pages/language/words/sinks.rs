super::words! {
    /// `/sinks`
    Sinks {
        title: "Sources and sinks", "数据来源与去向";
        nav: "Sinks", "去向";
        lead: "Where the numbers go. Only what is configured sends anything.", "数字发送到哪里。只有已配置的去向才会发送。";
        none: "No sink is running.", "没有运行中的去向。";
        ok: "working", "正常";
        waiting: "waiting for the first scan", "等待首次扫描";
        retrying: "trying again", "正在重试";
        paused: "paused", "已暂停";
        failed: "needs attention", "需要关注";
        asked: "Is asked; sends nothing by itself.", "仅在被请求时提供数据。";
        lag: "Waiting", "等待发送";
        nothing: "nothing", "无";
        lag_of: "{n} changes, for {time}", "{n} 个变更，已 {time}";
        last_success: "Last delivered", "上次送达";
        sent: "Changes delivered", "已送达的变更";
        cursor: "Delivered up to revision", "已送达修订";
        dead_letters: "Refused for good", "被永久拒绝";
        dropped: "Left out by its settings", "按设置略去";
        failures: "Failed tries since the start", "启动以来失败的尝试";
        restarts: "Restarts", "重启次数";
        next_try: "Next try", "下次尝试";
        failing_since: "failing since {at}", "自 {at} 起持续失败";
        last_error: "Last error", "最近的错误";
        pause: "Pause", "暂停";
        resume: "Go on", "继续";
        try_now: "Try now", "立即重试";
        replay: "Send again", "重新发送";
        from: "From (without a day, from the beginning)", "起始日期（留空则从头开始）";
        replay_hint: "A receiver gets what it has had a second time, under the same ids.", "接收方会以相同的标识再次收到已有的数据。";
        commands: "The same from a command line: claude-token-monitor sinks list, pause, resume, replay, dead-letters; backfill sends all of the past.", "命令行中同样可用：claude-token-monitor sinks list、pause、resume、replay、dead-letters；backfill 可发送全部历史。";
        read_only: "Nothing can be told to sinks on this page; claude-token-monitor sinks list shows them, too.", "本页无法控制去向；也可用 claude-token-monitor sinks list 查看。";
        sources: "Sources", "来源";
        files: "Files", "文件";
        read: "Read so far", "已读取";
        missing_files: "Files that are gone", "已消失的文件";
        io_errors: "Read errors", "读取错误";
        skipped_lines: "Lines that could not be used", "无法使用的行";
        store: "History", "历史数据";
        size: "Size", "大小";
        revision: "Revision", "修订";
    }
}
