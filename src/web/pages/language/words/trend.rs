super::words! {
    /// The trend of a range.
    Trend {
        tokens_by_hour: "Tokens by hour", "每小时 Token";
        tokens_by_day: "Tokens by day", "每日 Token";
        tokens_by_week: "Tokens by week", "每周 Token";
        tokens_by_month: "Tokens by month", "每月 Token";
        cost_by_hour: "Cost by hour", "每小时费用";
        cost_by_day: "Cost by day", "每日费用";
        cost_by_week: "Cost by week", "每周费用";
        cost_by_month: "Cost by month", "每月费用";
        stacked_by_kind: "{what}, {range}, stacked by kind", "{what}，共 {range}，按类型堆叠";
        stacked_by_model: "{what}, {range}, stacked by model", "{what}，共 {range}，按模型堆叠";
        hours: "{n} hour|{n} hours", "{n} 小时";
        days: "{n} day|{n} days", "{n} 天";
        weeks: "{n} week|{n} weeks", "{n} 周";
        months: "{n} month|{n} months", "{n} 个月";
        hour: "Hour", "小时";
        week: "Week", "周";
        month: "Month", "月份";
        week_of: "Week of {day}", "{day} 起的一周";
        split: "Tell apart", "区分";
        by_kind: "Kinds", "类型";
        by_model: "Models", "模型";
        by_cost: "Cost", "费用";
        caption: "Tokens of all responses, each counted when it began, in {zone}.", "所有响应的 Token，按各响应开始的时间统计，时区 {zone}。";
        caption_cost: "What all responses would cost at API list prices, each counted when it began, in {zone}. Models without a price are left out.", "所有响应按 API 标价计算的费用，按各响应开始的时间统计，时区 {zone}。没有价格的模型不计入。";
        still_going: "The last column is still going on.", "最后一列尚未结束。";
        caption_estimated: "Estimated columns are Claude Code’s own statistics, where no transcript is left; they are part of no total.", "估算的部分取自 Claude Code 自己的统计，因为会话记录已不存在；它们不计入任何合计。";
        caption_partial: "Of what is partly covered some transcripts are gone.", "部分覆盖的时段缺少一些会话记录。";
        estimated: "Estimated", "估算";
        partly: "Partly covered", "部分覆盖";
        so_far: "so far", "截至目前";
        about: "about {n}", "约 {n}";
    }
}
