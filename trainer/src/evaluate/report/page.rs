//! The page around the plots: sections, figures and tables in, one HTML file that needs nothing else out.
//!
//! Everything that is text is escaped here; arguments named `html` or `svg` are markup already.

/// `text` where markup is read.
pub fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out += "&amp;",
            '<' => out += "&lt;",
            '>' => out += "&gt;",
            '"' => out += "&quot;",
            '\'' => out += "&#39;",
            c => out.push(c),
        }
    }
    out
}

/// What a mark of a plot looks like, for its key.
#[derive(Clone, Copy, Debug)]
pub enum Key {
    /// A line of a class.
    Line(&'static str),
    /// A filled area of a class.
    Area(&'static str),
    /// A circle of a class.
    Dot(&'static str),
}

/// What marks mean.
pub fn keys(keys: &[(Key, String)]) -> String {
    if keys.is_empty() {
        return String::new();
    }
    let key = |(key, text): &(Key, String)| {
        let mark = match key {
            Key::Line(class) => format!("<path class=\"{class}\" d=\"M1 5H25\"/>"),
            Key::Area(class) => format!("<rect class=\"{class}\" x=\"1\" y=\"0\" width=\"24\" height=\"10\"/>"),
            Key::Dot(class) => format!("<circle class=\"{class}\" cx=\"13\" cy=\"5\" r=\"4\"/>"),
        };
        format!("<li><svg viewBox=\"0 0 26 10\" aria-hidden=\"true\">{mark}</svg>{}</li>", escape(text))
    };
    format!("<ul class=\"keys\">{}</ul>", keys.iter().map(key).collect::<Vec<_>>().concat())
}

/// A plot with its title, keys and caption.
pub fn figure(title: &str, svg: &str, marks: &[(Key, String)], caption: &str) -> String {
    let caption =
        if caption.is_empty() { String::new() } else { format!("<figcaption>{}</figcaption>", escape(caption)) };
    format!("<figure><h3>{}</h3>{svg}{}{caption}</figure>", escape(title), keys(marks))
}

/// Figures beside each other where there is room, below each other on a phone.
pub fn plots(figures: &[String]) -> String {
    format!("<div class=\"plots\">{}</div>", figures.concat())
}

/// A paragraph.
pub fn paragraph(text: &str) -> String {
    format!("<p>{}</p>", escape(text))
}

/// A table; wider than the screen, it scrolls by itself.
pub fn table(head: &[&str], rows: &[Vec<String>]) -> String {
    let row = |tag: &str, cells: Vec<&str>| {
        let cells: Vec<String> = cells.into_iter().map(|cell| format!("<{tag}>{}</{tag}>", escape(cell))).collect();
        format!("<tr>{}</tr>", cells.concat())
    };
    let body: Vec<String> = rows.iter().map(|cells| row("td", cells.iter().map(String::as_str).collect())).collect();
    let (head, body) = (row("th", head.to_vec()), body.concat());
    format!("<div class=\"scroll\"><table><thead>{head}</thead><tbody>{body}</tbody></table></div>")
}

/// A part of the page, to which its head links.
#[derive(Clone, Debug)]
pub struct Section {
    /// What links to it.
    pub id: &'static str,
    /// Its heading.
    pub title: &'static str,
    /// Its content.
    pub html: String,
}

/// What is folded away until it is asked for.
pub fn folded(title: &str, html: &str) -> String {
    format!("<details><summary>{}</summary>{html}</details>", escape(title))
}

/// The whole page: `head` (markup) stands above the links to its sections.
pub fn page(title: &str, head: &str, sections: &[Section]) -> String {
    let title = escape(title);
    let link = |section: &Section| format!("<a href=\"#{}\">{}</a>", section.id, escape(section.title));
    let links = sections.iter().map(link).collect::<Vec<_>>().concat();
    let part = |Section { id, title, html }: &Section| {
        format!("<section id=\"{id}\"><h2>{}</h2>{html}</section>\n", escape(title))
    };
    let body = sections.iter().map(part).collect::<Vec<_>>().concat();
    format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>{title}</title>\n\
         <style>\n{}</style></head>\n<body><h1>{title}</h1>{head}<nav>{links}</nav>\n{body}</body></html>\n",
        include_str!("style.css")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_cannot_be_markup() {
        let hostile = "<script>\"&'";
        let section = Section { id: "x", title: "X", html: paragraph(hostile) };
        let html = page(hostile, &table(&[hostile], &[vec![hostile.into()]]), &[section]);
        assert!(!html.contains("<script"), "{html}");
        assert!(html.contains("&lt;script&gt;&quot;&amp;&#39;"), "{html}");
        assert!(figure(hostile, "", &[(Key::Line("a"), hostile.into())], hostile).matches("&lt;script").count() == 3);
    }

    #[test]
    fn the_page_asks_for_nothing_from_elsewhere() {
        let html = page("t", "", &[]);
        for word in ["src=", "href=\"http", "url(", "@import"] {
            assert!(!html.contains(word), "{word}");
        }
    }
}
