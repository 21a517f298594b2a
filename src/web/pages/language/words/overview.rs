super::words! {
    /// `/`
    Overview {
        title: "Overview", "概览";
        heading: "Usage overview", "用量概览";
        figures: "Figures", "主要数字";
        total_tokens: "Total tokens", "令牌总数";
        tokens: "tokens", "个令牌";
        newest: "Newest response {at}", "最新响应 {at}";
        cost: "API-equivalent cost", "等价 API 费用";
        unknown: "unknown", "未知";
        without: "without {n} tokens that have no price", "不含没有价格的 {n} 个令牌";
        not_a_bill: "at list prices, not a bill", "按标价估算，并非账单";
        hit_rate: "Cache hit rate", "缓存命中率";
        hit_formula: "reads / (reads + uncached input)", "读取 /（读取 + 未缓存输入）";
        sessions_hint: "with at least one response", "至少有一次响应";
        responses_hint: "each counted once", "每次只计一次";
        trend: "Tokens by day", "每日令牌";
        trend_title: "Tokens by day, {n} days, stacked by kind", "按类型堆叠的每日令牌，共 {n} 天";
        trend_cost: "Cost by day", "每日费用";
        trend_by_model: "Tokens by day, {n} days, stacked by model", "按模型堆叠的每日令牌，共 {n} 天";
        trend_by_cost: "Cost by day, {n} days, stacked by model", "按模型堆叠的每日费用，共 {n} 天";
        split: "Tell apart", "区分";
        by_kind: "Kinds", "类型";
        by_model: "Models", "模型";
        by_cost: "Cost", "费用";
        caption_cost: "What all responses would cost at API list prices, by the day on which each began, in {zone}. Models without a price are left out.", "所有响应按 API 标价计算的费用，按各响应开始的日期统计，时区 {zone}。没有价格的模型不计入。";
        caption: "Tokens of all responses by the day on which each began, in {zone}.", "所有响应的令牌，按各响应开始的日期统计，时区 {zone}。";
        still_going: "Today is still going on.", "今天尚未结束。";
        caption_estimated: "Estimated days are Claude Code’s own statistics, where no transcript is left; they are part of no total.", "估算的日期取自 Claude Code 自己的统计，因为会话记录已不存在；它们不计入任何合计。";
        caption_partial: "Of partly covered days some transcripts are gone.", "部分覆盖的日期缺少一些会话记录。";
        estimated: "Estimated", "估算";
        partly: "Partly covered", "部分覆盖";
        table: "Show as a table", "以表格显示";
        so_far: "so far", "截至目前";
        about: "about {n}", "约 {n}";
        year: "The year by day", "全年每日用量";
        year_caption: "Tokens by day over 53 weeks, whatever the range, in {zone}. Each step of colour has as many days as the others.", "53 周内每日的令牌数，与所选范围无关，时区 {zone}。每一级颜色包含同样多的日子。";
        week: "Week of", "周起始日";
        hours: "Hours of the week", "一周各小时";
        hours_caption: "Tokens by weekday and hour at which responses began, in this range, in {zone}. Each step of colour has as many hours as the others.", "此范围内按响应开始的星期和小时统计的令牌数，时区 {zone}。每一级颜色包含同样多的小时。";
        hour: "Hour", "小时";
        n_tokens: "{n} tokens", "{n} 个令牌";
        up_to: "up to {n}", "最多 {n}";
        less: "Less", "较少";
        more: "More", "较多";
        none: "None", "无";
        kinds: "Tokens by kind", "按类型统计";
        kind_cache_reads: "Read again from the cache", "再次从缓存读取";
        kind_cache_writes: "Written to the cache: {five} for five minutes, {hour} for an hour", "写入缓存：五分钟 {five}，一小时 {hour}";
        kind_input: "Sent without the cache", "未经缓存发送";
        kind_output: "Generated, thinking included", "生成的内容，包括思考";
        models: "Models", "模型";
        projects: "Top projects", "主要项目";
        all_models: "All models", "全部模型";
        all_projects: "All projects", "全部项目";
    }
}
