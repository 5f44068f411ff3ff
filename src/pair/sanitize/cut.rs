//! Shortens a text.

/// What a shortened text ends in.
pub(super) const CUT: char = '…';

/// Returns at most `limit` characters of `text`, with `…` as the last one if some are missing.
pub fn cut(text: &str, limit: usize) -> String {
    let mut places = text.char_indices().skip(limit.saturating_sub(1));
    let (last, beyond) = (places.next(), places.next());
    match (last, beyond) {
        (Some((at, _)), Some(_)) if limit > 0 => {
            let mut short = text.get(..at).unwrap_or_default().to_owned();
            short.push(CUT);
            short
        }
        _ if limit == 0 => String::new(),
        _ => text.to_owned(),
    }
}
