super::words! {
    /// `/models`
    Models {
        title: "Models", "模型";
        caption: "Models as the transcripts write them. The share is that of all tokens in the range.", "模型名称与会话记录中一致。占比指范围内全部 Token 中的比例。";
        costs: "Cost by kind of token", "按 Token 类型的费用";
        costs_caption: "Each response at the list price of its own day, long-context and speed modifiers included.", "每次响应按当天标价计算，包括长上下文和速度的调整。";
        search: "Web searches", "网页搜索";
        unexplained: "Unexplained", "未分类";
        sum: "All models", "全部模型";
    }
}
