super::words! {
    /// What the module in the browser says. Its files in `templates/static/module/` fill these in themselves.
    Module {
        reconnecting: "Reconnecting", "正在重新连接";
        asking: "Updated every few seconds", "每隔几秒更新";
        lost: "Not connected, numbers of {at}", "连接已断开，数据截至 {at}";
        news: "{n} new response, {total} tokens in all|{n} new responses, {total} tokens in all", "{n} 个新响应，共 {total} 个 Token";
        copy: "Copy", "复制";
        copied: "Copied", "已复制";
        keys: "Keys", "快捷键";
        key_theme: "next colours", "切换配色";
        key_refresh: "refresh", "刷新";
        key_search: "search and filters", "搜索与筛选";
        key_help: "this help", "显示此帮助";
        key_arrows: "read a chart, value by value", "逐个读取图表中的数值";
        key_escape: "hide the value", "隐藏数值";
        close: "Close", "关闭";
    }
}

impl Module {
    /// The texts as the module reads them.
    pub fn json(&self) -> String {
        let keys = [
            ("t", self.key_theme),
            ("r", self.key_refresh),
            ("/", self.key_search),
            ("?", self.key_help),
            ("← → ↑ ↓", self.key_arrows),
            ("Esc", self.key_escape),
        ];
        let keys: Vec<_> = keys.iter().map(|(key, text)| [*key, text.as_str()]).collect();
        serde_json::json!({
            "reconnecting": self.reconnecting.as_str(),
            "asking": self.asking.as_str(),
            "lost": self.lost.as_str(),
            "news": self.news.as_str(),
            "copy": self.copy.as_str(),
            "copied": self.copied.as_str(),
            "keys": self.keys.as_str(),
            "key_list": keys,
            "close": self.close.as_str(),
        })
        .to_string()
    }
}
