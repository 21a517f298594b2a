super::words! {
    /// `/projects` and `/projects/{id}`
    Projects {
        title: "Projects", "项目";
        caption: "A project is the root of the repository that was worked in, or else the directory.", "项目是所在代码仓库的根目录，若无仓库则为所在目录。";
        one: "Project", "项目";
        path: "Path", "路径";
        first: "First response", "首次响应";
        last: "Last response", "最近响应";
        count: "{n} project|{n} projects", "{n} 个项目";
    }
}
