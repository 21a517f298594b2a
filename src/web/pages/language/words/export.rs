super::words! {
    /// `/export`
    Export {
        title: "Export", "导出";
        lead: "The history of the range and the filters above, as a file.", "将上方范围与筛选内的历史导出为文件。";
        level: "One row is", "每行为";
        level_raw: "a response", "一次响应";
        level_hour: "an hour", "一小时";
        level_day: "a day", "一天";
        about_raw: "Every response with its time, model, project, session, branch, agent and tokens, the oldest first.", "每次响应的时间、模型、项目、会话、分支、代理和 Token，最早的在前。";
        about_hour: "Sums of each hour by model, project and query source, the oldest first.", "按模型、项目和请求来源汇总每小时的数据，最早的在前。";
        about_day: "Sums of each day by model, project and query source, the oldest first. Days begin at midnight in {zone}.", "按模型、项目和请求来源汇总每天的数据，最早的在前。每天从 {zone} 的零点开始。";
        query_source: "Query source", "请求来源";
        everything: "all", "全部";
        main: "main conversation", "主对话";
        subagent: "sub-agents", "子代理";
        rows: "Rows", "行数";
        at_most: "at most {n}", "最多 {n}";
        size: "Size as CSV", "CSV 大小";
        about: "about {size}", "约 {size}";
        compressed: "smaller on the way, where the client takes gzip or Brotli", "客户端支持 gzip 或 Brotli 时传输更小";
        columns: "Columns", "列数";
        csv: "Download CSV", "下载 CSV";
        json: "Download JSON", "下载 JSON";
        pruned: "{n} responses are in every sum, and missing here: their detail was removed by retention.", "{n} 次响应已计入汇总，但此处没有：其明细已按保留策略删除。";
        preview: "How the file begins", "文件开头";
        preview_rows: "The first {n} row|The first {n} rows", "前 {n} 行";
        program: "For programs", "供程序使用";
        program_text: "The same from a command line, and the address alone:", "在命令行中获取同样的内容，以及单独的地址：";
        privacy: "What is in it", "包含的内容";
        never: "Never: what you or the model wrote. No prompts, answers, thinking, tool calls or file contents are kept, so none can be in a file.", "绝不包含：您或模型写下的内容。提示、回答、思考、工具调用和文件内容从不保存，也就不会出现在文件中。";
        names_in: "Project paths, branches, and ids of sessions and requests are in it as the transcripts have them. Who may not see those should not get the file.", "项目路径、分支以及会话和请求的 ID 与会话记录中一致。不应看到这些信息的人不应得到此文件。";
        names_sum: "Project paths are in it as the transcripts have them. Who may not see those should not get the file.", "项目路径与会话记录中一致。不应看到这些信息的人不应得到此文件。";
        formulas: "In CSV, text that a spreadsheet would take for a formula begins with an apostrophe.", "在 CSV 中，可能被电子表格当作公式的文本以撇号开头。";
    }
}
