//! Time as the sandbox stamps it: every event is later than the one before, so that order never depends on luck.

use std::time::{SystemTime, UNIX_EPOCH};

/// A moment in milliseconds since 1970, UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment(pub u64);

impl Moment {
    /// Writes the moment as GitLab's REST API does, for example `2026-11-22T13:25:31.705Z`.
    #[must_use]
    pub fn iso(self) -> String {
        let (days, millis) = (self.0 / 86_400_000, self.0 % 86_400_000);
        let (year, month, day) = civil_date(days);
        let (hour, minute) = (millis / 3_600_000, millis / 60_000 % 60);
        let (second, milli) = (millis / 1000 % 60, millis % 1000);
        format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{milli:03}Z")
    }

    /// Writes the moment as webhooks do, for example `2026-11-22 13:25:31 UTC`.
    #[must_use]
    pub fn utc(self) -> String {
        let iso = self.iso().replace('T', " ");
        format!("{} UTC", iso.split('.').next().unwrap_or_default())
    }

    /// Writes the moment as HTTP's `Date` does (RFC 9110, 5.6.7), for example `Sun, 22 Nov 2026 13:25:31 GMT`.
    pub(crate) fn http_date(self) -> String {
        let days = self.0 / 86_400_000;
        let (year, month, day) = civil_date(days);
        let part = |text: &str, first: u64, length: usize| {
            text.chars().skip(usize::try_from(first).unwrap_or_default()).take(length).collect::<String>()
        };
        let weekday = part("ThuFriSatSunMonTueWed", days % 7 * 3, 3);
        let month = part("JanFebMarAprMayJunJulAugSepOctNovDec", (month - 1) * 3, 3);
        let time = part(&self.iso(), 11, 8);
        format!("{weekday}, {day:02} {month} {year:04} {time} GMT")
    }

    /// Reads what a client sends in `updated_after` and the like: ISO 8601, UTC (`Z` or `+00:00`), time optional.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (date, time) = text.split_once('T').or_else(|| text.split_once(' ')).unwrap_or((text, "00:00:00"));
        let mut parts = date.split('-').map(|part| part.parse::<u64>().ok());
        let (year, month, day) = (parts.next()??, parts.next()??, parts.next()??);
        let time = time.trim_end_matches('Z').trim_end_matches("+00:00");
        let (clock, fraction) = time.split_once('.').unwrap_or((time, "0"));
        let mut parts = clock.split(':').map(|part| part.parse::<u64>().ok());
        let (hour, minute, second) = (parts.next()??, parts.next()??, parts.next().unwrap_or(Some(0))?);
        let millis = format!("{fraction:0<3}").get(..3)?.parse::<u64>().ok()?;
        let days = days_since_epoch(year, month, day)?;
        Some(Self(((days * 24 + hour) * 60 + minute) * 60_000 + second * 1000 + millis))
    }
}

/// Gives the next moment: the real time, or one millisecond after the last where events come faster than that.
#[derive(Debug, Default)]
pub(crate) struct Clock {
    last: u64,
    fixed: bool,
}

impl Clock {
    pub(crate) fn tick(&mut self) -> Moment {
        let real = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis());
        let real = if self.fixed { 0 } else { u64::try_from(real).unwrap_or(0) };
        self.last = real.max(self.last + if self.fixed { 1000 } else { 1 });
        Moment(self.last)
    }

    /// The moment as it is, without an event.
    pub(crate) fn peek(&self) -> Moment {
        let real = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis());
        let real = if self.fixed { 0 } else { u64::try_from(real).unwrap_or(0) };
        Moment(real.max(self.last))
    }

    /// Lets time pass without an event.
    pub(crate) fn pass(&mut self, seconds: u64) {
        self.last = self.peek().0 + seconds * 1000;
    }

    /// Goes to the beginning of a minute so far ahead that real time does not get there: each event is a millisecond after
    /// the one before.
    pub(crate) fn begin_minute(&mut self) {
        self.last = (self.peek().0 / 60_000 + 10) * 60_000;
        self.fixed = false;
    }

    /// Leaves real time: the next event happens a second after `start`, each further one a second later.
    pub(crate) fn fix(&mut self, start: Moment) {
        *self = Self { last: start.0, fixed: true };
    }
}

/// Year, month and day of a day counted from 1970-01-01 (Howard Hinnant's `civil_from_days`, for days after 1970).
fn civil_date(days: u64) -> (u64, u64, u64) {
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    (year_of_era + era * 400 + u64::from(month <= 2), month, day)
}

fn days_since_epoch(year: u64, month: u64, day: u64) -> Option<u64> {
    if !(1970..=9999).contains(&year) || !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    let shifted_year = if month <= 2 { year - 1 } else { year };
    let (era, year_of_era) = (shifted_year / 400, shifted_year % 400);
    let day_of_year = (153 * (if month > 2 { month - 3 } else { month + 9 }) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    (era * 146_097 + day_of_era).checked_sub(719_468)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_written_and_read_as_gitlab_does() {
        // Oracle: `date -u -d @1772323199.705 +%FT%T.%3NZ`.
        assert_eq!(Moment(1_772_323_199_705).iso(), "2026-02-28T23:59:59.705Z");
        assert_eq!(Moment::parse("2026-02-28T23:59:59.705Z"), Some(Moment(1_772_323_199_705)));
        assert_eq!(Moment::parse("1970-01-02"), Some(Moment(86_400_000)));
        assert_eq!(Moment(951_782_400_000).iso(), "2000-02-29T00:00:00.000Z");
        assert_eq!(Moment::parse("soon"), None);
        assert_eq!(Moment(1_772_323_199_705).http_date(), "Sat, 28 Feb 2026 23:59:59 GMT");
        assert_eq!(Moment(4_000_000_000_000).http_date(), "Tue, 02 Oct 2096 07:06:40 GMT");
        // As in recorded webhooks.
        assert_eq!(Moment(1_591_303_937_000).utc(), "2020-06-04 20:52:17 UTC");
    }

    #[test]
    fn a_fixed_clock_goes_by_seconds() {
        let mut clock = Clock::default();
        clock.fix(Moment(1_000));
        assert_eq!((clock.tick(), clock.tick()), (Moment(2_000), Moment(3_000)));
        clock.pass(60);
        assert_eq!((clock.peek(), clock.tick()), (Moment(63_000), Moment(64_000)));
    }
}
