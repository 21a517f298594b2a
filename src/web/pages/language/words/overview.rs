super::words! {
    /// `/`
    Overview {
        title: "Overview", "概览";
        heading: "Usage overview", "用量概览";
        figures: "Figures", "主要数字";
        total_tokens: "Total tokens", "Token 总数";
        tokens: "tokens", "Token";
        newest: "Newest response {at}", "最新响应 {at}";
        ever: "{n} in the whole history", "全部历史共 {n}";
        cost: "API-equivalent cost", "等价 API 费用";
        unknown: "unknown", "未知";
        without: "without {n} tokens that have no price", "不含没有价格的 {n} Token";
        not_a_bill: "at list prices, not a bill", "按标价估算，并非账单";
        hit_rate: "Cache hit rate", "缓存命中率";
        hit_formula: "reads / (reads + uncached input)", "读取 /（读取 + 未缓存输入）";
        sessions_hint: "with at least one response", "至少有一次响应";
        responses_hint: "each counted once", "每次只计一次";
        month_cost: "Projected cost, {month}", "{month}预计费用";
        month_tokens: "Projected tokens, {month}", "{month}预计 Token";
        month_so_far: "{n} so far, at the month’s average to its end", "目前 {n}，按本月平均推算至月底";
        month_nothing: "nothing this month yet", "本月还没有用量";
        month_too_early: "after the first day of the month", "本月满一天后显示";
        month_before: "against the whole month before", "与上一整月相比";
        year: "The year by day", "全年每日用量";
        year_caption: "Tokens by day over 53 weeks, whatever the range, in {zone}. Each step of colour has as many days as the others.", "53 周内每日的 Token 数，与所选范围无关，时区 {zone}。每一级颜色包含同样多的日子。";
        week: "Week of", "周起始日";
        hours: "Hours of the week", "一周各小时";
        hours_caption: "Tokens by weekday and hour at which responses began, in this range, in {zone}. Each step of colour has as many hours as the others.", "此范围内按响应开始的星期和小时统计的 Token 数，时区 {zone}。每一级颜色包含同样多的小时。";
        hour: "Hour", "小时";
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
        newest_sessions: "Newest sessions", "最近的会话";
        all_sessions: "All sessions", "全部会话";
        all_models: "All models", "全部模型";
        all_projects: "All projects", "全部项目";
    }
}
