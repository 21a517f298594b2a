super::words! {
    /// What is going on, and what went wrong.
    States {
        live: "Live", "实时";
        polling: "Polling", "轮询中";
        scanning: "Scanning", "扫描中";
        waiting: "Waiting for Claude Code", "等待 Claude Code";
        attention: "Needs attention", "需要关注";
        looking: "Looking for transcripts", "正在查找会话记录";
        read_of: "{done} of {all} read", "已读取 {done}，共 {all}";
        first_scan: "First scan", "首次扫描";
        reading: "Reading what is already there", "正在读取已有的记录";
        partial: "The numbers below are partial until this is done.", "扫描完成之前，下面的数字并不完整。";
        gone: "Transcripts are gone", "会话记录不见了";
        gone_text: "None of the configured directories can be read. The history below is kept, and nothing new comes in.", "所有配置的目录都无法读取。下面的历史会保留，但不会有新数据。";
        poll_text: "Transcripts are looked at every few seconds ({reason}). Numbers may be a little behind.", "每隔几秒查看一次会话记录（{reason}），数字可能略有延迟。";
        events_off: "file events are switched off", "文件事件已关闭";
        demo: "Demo", "演示";
        demo_text: "Every number on this page is made up.", "本页所有数字均为虚构。";
        unpriced: "Models without a price", "没有价格的模型";
        unpriced_text: "{tokens} tokens of {models} are counted, but their cost is not known.", "{models} 的 {tokens} Token 已计入，但费用未知。";
        and_more: "{names} and {n} more", "{names} 等另外 {n} 个";
        aging: "Transcripts will be deleted", "会话记录即将被删除";
        aging_text: "Claude Code deletes {n} transcript within {soon} days, since nobody has written to it for {days} days. Its usage is kept here. To keep the conversation, too, raise cleanupPeriodDays in Claude Code’s own settings.|Claude Code deletes {n} transcripts within {soon} days, since nobody has written to them for {days} days. Their usage is kept here. To keep the conversations, too, raise cleanupPeriodDays in Claude Code’s own settings.", "{n} 个会话记录已近 {days} 天没有更新，Claude Code 将在 {soon} 天内删除它们。其用量会保留在这里。若还想保留对话内容，请在 Claude Code 自己的设置中调大 cleanupPeriodDays。";
        aging_unread: "{n} of them is not read to its end yet.|{n} of them are not read to their end yet.", "其中 {n} 个尚未读完。";
        no_usage: "No usage yet", "还没有用量";
        no_transcript: "Claude Code’s directory is there, without a transcript in it. Use Claude Code once, and this page fills itself.", "找到了 Claude Code 的目录，但其中没有会话记录。使用一次 Claude Code，本页就会有内容。";
        no_response: "There are transcripts, without a response in them so far. Once Claude Code answers, this page fills itself.", "有会话记录，但其中还没有响应。Claude Code 回答之后，本页就会有内容。";
        where_is: "Where is Claude Code?", "Claude Code 在哪里？";
        none_here: "This page shows what Claude Code writes into its transcripts, and none of the directories it may keep them in is here.", "本页显示 Claude Code 写入会话记录的内容，但可能存放它们的目录都不在这里。";
        looked_for: "What was looked for", "查找过的位置";
        no_directory: "No directory is configured.", "没有配置任何目录。";
        found: "found", "已找到";
        missing: "missing", "不存在";
        elsewhere: "If it is somewhere else", "如果在别的地方";
        name_it: "Name the directory that holds projects/ and start again:", "指定包含 projects/ 的目录，然后重新启动：";
        looking_around: "Just looking around?", "只是想看看？";
        made_up: "See the pages filled with made-up usage:", "用虚构的数据查看这些页面：";
        bad_request: "This cannot be shown", "无法显示";
        bad_request_text: "Something in the address cannot be:", "地址中有不合适的内容：";
        not_found: "There is nothing here", "这里什么都没有";
        not_found_text: "The address leads nowhere, or what it led to is no longer there.", "此地址没有内容，或者内容已不存在。";
        too_many: "Too many requests", "请求过多";
        too_many_text: "Wait a moment, then try again.", "请稍候再试。";
        unavailable: "Not now", "暂时不可用";
        unavailable_text: "The history cannot be read at the moment. Try again; the log says more.", "目前无法读取历史数据。请重试，详情见日志。";
        failed: "Something went wrong", "出错了";
        failed_text: "That is a fault of this program. Its log says what.", "这是本程序的故障，详情见日志。";
    }
}
