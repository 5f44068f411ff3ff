//! Offset paging with GitLab's headers.

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;

use super::parameters::Parameters;
use super::reply::{Refusal, Reply};

/// Above this many records GitLab leaves out the totals and the last page.
const COUNT_LIMIT: usize = 10_000;

/// Cuts one page out of all records, renders each (`None` for one that the caller may not see: GitLab leaves those out
/// after paging, so that the page is short), and adds the headers. `url` is the request's, without query.
pub(crate) fn page<T>(
    parameters: &Parameters,
    url: &str,
    records: &[T],
    render: impl FnMut(&T) -> Option<Value>,
) -> Result<Reply, Refusal> {
    let number = |name, least: u64| match parameters.number(name)? {
        Some(number) if number < least => Err(Refusal::Parameter(format!("{name} does not have a valid value"))),
        number => Ok(number),
    };
    let page = usize::try_from(number("page", 1)?.unwrap_or(1)).unwrap_or(usize::MAX);
    let size = usize::try_from(number("per_page", 1)?.unwrap_or(20).min(100)).unwrap_or(100);
    let pages = records.len().div_ceil(size).max(1);
    let shown: Vec<Value> =
        records.iter().skip((page - 1).saturating_mul(size)).take(size).filter_map(render).collect();

    let (next, previous) = ((page < pages).then_some(page + 1), (page > 1).then(|| page - 1));
    let link = |page: usize, relation: &str| {
        let mut query = String::new();
        for (name, value) in parameters.pairs().filter(|(name, _)| !matches!(*name, "page" | "per_page")) {
            let items = match value {
                Value::Array(items) => items.iter().map(|item| (format!("{name}[]"), item)).collect(),
                other => vec![(name.to_owned(), other)],
            };
            for (name, item) in items {
                let text = item.as_str().map_or_else(|| item.to_string(), str::to_owned);
                let encode = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
                query += &format!("{}={}&", encode(&name), encode(&text));
            }
        }
        format!("<{url}?{query}page={page}&per_page={size}>; rel=\"{relation}\"")
    };
    let counted = records.len() <= COUNT_LIMIT;
    let mut links: Vec<String> = previous.map(|page| link(page, "prev")).into_iter().collect();
    links.extend(next.map(|page| link(page, "next")));
    links.push(link(1, "first"));
    if counted {
        links.push(link(pages, "last"));
    }
    let or_empty = |page: Option<usize>| page.map(|page| page.to_string()).unwrap_or_default();
    let mut reply = Reply::json(200, &Value::Array(shown))
        .with_header("link", links.join(", "))
        .with_header("x-page", page.to_string())
        .with_header("x-per-page", size.to_string())
        .with_header("x-next-page", or_empty(next))
        .with_header("x-prev-page", or_empty(previous));
    if counted {
        reply = reply.with_header("x-total", records.len().to_string()).with_header("x-total-pages", pages.to_string());
    }
    Ok(reply)
}
