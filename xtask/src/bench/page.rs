//! A page with a part that a program writes, between two markers.

/// Where the part begins.
pub const BEGIN: &str = "<!-- bench -->";
/// Where it ends.
pub const END: &str = "<!-- /bench -->";

/// `page` with `part` between the markers; `None` when they are not there, in this order.
pub fn replaced(page: &str, part: &str) -> Option<String> {
    let (before, rest) = page.split_once(BEGIN)?;
    let (_, after) = rest.split_once(END)?;
    Some(format!("{before}{BEGIN}\n{}\n{END}{after}", part.trim_end()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_between_the_markers_is_replaced_and_nothing_else() {
        let page = "# Page\n\n<!-- bench -->\nold\nolder\n<!-- /bench -->\n\nthe rest\n";
        let new = replaced(page, "new\n").unwrap();
        assert_eq!(new, "# Page\n\n<!-- bench -->\nnew\n<!-- /bench -->\n\nthe rest\n");
        assert_eq!(replaced(&new, "new\n").unwrap(), new, "written twice, it is the same");
        assert!(replaced("<!-- bench --><!-- /bench -->", "first").is_some());
    }

    #[test]
    fn a_page_without_markers_is_left_alone() {
        assert_eq!(replaced("# Page\n", "new"), None);
        assert_eq!(replaced("<!-- bench -->\nold\n", "new"), None);
        assert_eq!(replaced("<!-- /bench -->\n<!-- bench -->", "new"), None);
    }
}
