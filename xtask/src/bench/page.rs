//! A page with parts that a program writes, each between two markers of its name: `<!-- NAME -->` and `<!-- /NAME -->`.

use anyhow::{Context as _, Result};

use crate::run::root;

/// Write `part` between the markers `name` of a page of this repository.
pub fn write(page: &str, name: &str, part: &str) -> Result<()> {
    let path = root().join(page);
    let text = std::fs::read_to_string(&path).with_context(|| format!("cannot read {page}"))?;
    let text = replaced(&text, name, part)
        .with_context(|| format!("{page} has lost its markers <!-- {name} --> and <!-- /{name} -->"))?;
    std::fs::write(&path, text).with_context(|| format!("cannot write {page}"))
}

/// `page` with `part` between the markers; `None` when they are not there, in this order.
fn replaced(page: &str, name: &str, part: &str) -> Option<String> {
    let (begin, end) = (format!("<!-- {name} -->"), format!("<!-- /{name} -->"));
    let (before, rest) = page.split_once(&begin)?;
    let (_, after) = rest.split_once(&end)?;
    Some(format!("{before}{begin}\n{}\n{end}{after}", part.trim_end()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_between_the_markers_is_replaced_and_nothing_else() {
        let page = "# Page\n\n<!-- bench -->\nold\nolder\n<!-- /bench -->\n\nthe rest\n";
        let new = replaced(page, "bench", "new\n").unwrap();
        assert_eq!(new, "# Page\n\n<!-- bench -->\nnew\n<!-- /bench -->\n\nthe rest\n");
        assert_eq!(replaced(&new, "bench", "new\n").unwrap(), new, "written twice, it is the same");
        assert!(replaced("<!-- bench --><!-- /bench -->", "bench", "first").is_some());
    }

    #[test]
    fn a_page_without_markers_is_left_alone() {
        assert_eq!(replaced("# Page\n", "bench", "new"), None);
        assert_eq!(replaced("<!-- bench -->\n<!-- /bench -->", "train", "new"), None, "those are another part's");
        assert_eq!(replaced("<!-- bench -->\nold\n", "bench", "new"), None);
        assert_eq!(replaced("<!-- /bench -->\n<!-- bench -->", "bench", "new"), None);
    }
}
