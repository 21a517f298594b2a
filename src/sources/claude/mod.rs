pub mod line;
pub mod project;
