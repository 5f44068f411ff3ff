//! Webhook tokens: which projects somebody who calls the bot may speak of, signed with a secret of the operator's.
//!
//! A token is a JSON Web Token (RFC 7519) signed with HMAC-SHA256, whose claims are a `namespace` and, for one project,
//! its `repo_name`: what packit's deployment has operators put into webhooks. What PyJWT refuses there is refused here,
//! and some of what it lets pass besides: claims twice, base64 with characters of other alphabets.
//!
//! Pure: the secret and the time are handed in. No error text holds any part of a token.

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Deserializer, Serialize};

use crate::config::{Namespace, NamespaceError};
use crate::types::error::Error;

/// The longest token that is looked at, in bytes. The paths in it have at most 1024 each.
pub const LENGTH_LIMIT: usize = 8 << 10;

/// The shortest secret that RFC 7518, section 3.2, allows for HS256, in bytes.
pub const SECRET_LENGTH: usize = 32;

/// The one algorithm (RFC 7518).
const ALGORITHM: &str = "HS256";

/// The header, in the order in which PyJWT writes it. Any other member would ask for something that is not done here.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Header<'a> {
    alg: &'a str,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    typ: Option<&'a str>,
}

/// The claims as they are signed.
#[derive(Serialize)]
struct Claims<'a> {
    namespace: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    repo_name: Option<&'a str>,
}

/// The claims as they are found. Others mean nothing, here as there.
#[derive(Deserialize)]
struct FoundClaims {
    namespace: String,
    #[serde(default, deserialize_with = "not_null")]
    repo_name: Option<String>,
    #[serde(default, deserialize_with = "not_null")]
    exp: Option<f64>,
    #[serde(default, deserialize_with = "not_null")]
    nbf: Option<f64>,
    #[serde(default, deserialize_with = "not_null")]
    iat: Option<f64>,
    #[serde(default)]
    aud: Option<serde::de::IgnoredAny>,
}

fn not_null<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

/// Why a token is not good.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// It has another form, or its claims say nothing that can be used.
    #[error("it is no webhook token: {0}")]
    Form(&'static str),
    /// It was signed with another secret, or changed since.
    #[error("its signature does not hold")]
    Signature,
    /// The time of its claim `exp` has come.
    #[error("it has expired")]
    Expired,
    /// The time of its claim `nbf` or `iat` has not come.
    #[error("it is not valid yet")]
    NotYet,
    /// It has the claim `aud`: it was made for somebody else.
    #[error("it is for another audience")]
    Audience,
}

impl From<TokenError> for Error {
    fn from(error: TokenError) -> Self {
        Self::msg(error)
    }
}

/// What a token is good for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenScope {
    namespace: Namespace,
    project: Option<String>,
}

impl TokenScope {
    /// Makes the scope of the projects in `namespace`, at any depth, or of its one project of this name.
    ///
    /// # Errors
    ///
    /// [`NamespaceError`] where one of them cannot be the path of a group or the name of a project.
    pub fn new(namespace: &str, project: Option<&str>) -> Result<Self, NamespaceError> {
        if let Some(name) = project {
            if name.contains('/') {
                return Err(NamespaceError);
            }
            name.parse::<Namespace>()?;
        }
        Ok(Self { namespace: namespace.parse()?, project: project.map(str::to_owned) })
    }

    /// Returns the path of the group or user.
    pub const fn namespace(&self) -> &Namespace {
        &self.namespace
    }

    /// Returns the name of the one project; nothing where it is for all of them.
    pub fn project(&self) -> Option<&str> {
        self.project.as_deref()
    }

    /// Whether it is good for the project with this path, in GitLab's own spelling.
    pub fn covers(&self, path: &str) -> bool {
        let within = self.namespace.name_within(path);
        within.is_some() && (self.project.is_none() || self.project.as_deref() == within)
    }

    /// Whether it is good for all that `other` is good for.
    pub fn covers_scope(&self, other: &Self) -> bool {
        match &other.project {
            Some(name) => self.covers(&format!("{}/{name}", other.namespace)),
            None => {
                self.project.is_none() && (self.namespace == other.namespace || self.covers(other.namespace.as_str()))
            }
        }
    }
}

/// The operator's secret.
#[derive(Debug)]
pub struct Secret(SecretString);

impl Secret {
    /// Takes a secret; nothing where it is empty.
    pub fn new(secret: SecretString) -> Option<Self> {
        (!secret.expose_secret().is_empty()).then_some(Self(secret))
    }

    /// Whether it is shorter than [`SECRET_LENGTH`].
    pub fn is_short(&self) -> bool {
        self.0.expose_secret().len() < SECRET_LENGTH
    }

    /// Makes the token for `scope`: the same each time.
    pub fn sign(&self, scope: &TokenScope) -> SecretString {
        let header = Header { alg: ALGORITHM, typ: Some("JWT") };
        let claims = Claims { namespace: scope.namespace.as_str(), repo_name: scope.project() };
        let part = |json: Result<Vec<u8>, _>| json.map(|json: Vec<u8>| URL_SAFE_NO_PAD.encode(json));
        let parts = part(serde_json::to_vec(&header)).and_then(|h| Ok((h, part(serde_json::to_vec(&claims))?)));
        // Texts alone: they can always be written as JSON.
        let (header, claims) = parts.unwrap_or_default();
        let signed = format!("{header}.{claims}");
        let signature = URL_SAFE_NO_PAD.encode(hmac::sign(&self.key(), signed.as_bytes()));
        SecretString::from(format!("{signed}.{signature}"))
    }

    fn key(&self) -> hmac::Key {
        hmac::Key::new(hmac::HMAC_SHA256, self.0.expose_secret().as_bytes())
    }
}

/// A token that somebody sent: what it says it is good for, and nothing that can be relied on yet.
#[derive(Debug)]
pub struct UnverifiedToken {
    scope: TokenScope,
    signed: SecretString,
    signature: Vec<u8>,
    expires: Option<f64>,
    begins: [Option<f64>; 2],
    for_others: bool,
}

impl UnverifiedToken {
    /// Reads a token.
    ///
    /// # Errors
    ///
    /// [`TokenError::Form`] alone: nothing is verified yet.
    pub fn parse(text: &str) -> Result<Self, TokenError> {
        let wrong = TokenError::Form;
        if text.len() > LENGTH_LIMIT {
            return Err(wrong("it is too long"));
        }
        let parts = text.rsplit_once('.').and_then(|(signed, signature)| {
            let (header, claims) = signed.split_once('.')?;
            Some((signed, header, claims, signature))
        });
        let (signed, header, claims, signature) = parts.ok_or(wrong("it has not three parts"))?;
        let decoded = |part: &str| URL_SAFE_NO_PAD.decode(part).map_err(|_| wrong("it is not in base64 for addresses"));
        let (header, claims, signature) = (decoded(header)?, decoded(claims)?, decoded(signature)?);
        let header: Header<'_> = serde_json::from_slice(&header).map_err(|_| wrong("its header has another form"))?;
        if header.alg != ALGORITHM || header.typ.is_some_and(|typ| typ != "JWT") {
            return Err(wrong("it is not signed by HS256"));
        }
        let claims: FoundClaims = serde_json::from_slice(&claims).map_err(|_| wrong("its claims have another form"))?;
        let scope = TokenScope::new(&claims.namespace, claims.repo_name.as_deref())
            .map_err(|_| wrong("its claims name no namespace or project"))?;
        Ok(Self {
            scope,
            signed: SecretString::from(signed),
            signature,
            expires: claims.exp,
            begins: [claims.nbf, claims.iat],
            for_others: claims.aud.is_some(),
        })
    }

    /// Returns what it says it is good for. Whoever relies on it wants [`Self::verify`].
    pub const fn claimed(&self) -> &TokenScope {
        &self.scope
    }

    /// Returns what it is good for at the time `now`, in seconds since 1970.
    ///
    /// # Errors
    ///
    /// Any but [`TokenError::Form`]; the signature first, compared in constant time.
    pub fn verify(&self, secret: &Secret, now: u64) -> Result<&TokenScope, TokenError> {
        hmac::verify(&secret.key(), self.signed.expose_secret().as_bytes(), &self.signature)
            .map_err(|_| TokenError::Signature)?;
        #[expect(clippy::cast_precision_loss, reason = "exact for the next hundred million years")]
        let now = now as f64;
        // PyJWT cuts the times to whole seconds and allows for no difference between clocks.
        if self.expires.is_some_and(|expires| expires.trunc() <= now) {
            Err(TokenError::Expired)
        } else if self.begins.iter().flatten().any(|begins| *begins > now) {
            Err(TokenError::NotYet)
        } else if self.for_others {
            Err(TokenError::Audience)
        } else {
            Ok(&self.scope)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of 38 bytes.
    const SECRET: &str = "an operator's secret, of 38 characters";

    fn secret() -> Secret {
        Secret::new(SecretString::from(SECRET)).unwrap()
    }

    /// A token of any header and claims, whose signature holds.
    fn signed(header: &str, claims: &str) -> String {
        let signed = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
        let signature = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, SECRET.as_bytes()), signed.as_bytes());
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
    }

    fn with(claims: &str) -> String {
        signed(r#"{"alg":"HS256","typ":"JWT"}"#, claims)
    }

    /// Verifies at a second of the year 2001.
    fn verified(token: &str) -> Result<TokenScope, TokenError> {
        UnverifiedToken::parse(token)?.verify(&secret(), 1_000_000_000).cloned()
    }

    fn scope(namespace: &str, project: Option<&str>) -> TokenScope {
        TokenScope::new(namespace, project).unwrap()
    }

    /// The example of RFC 7515, appendix A.1: its key has bytes that are no text, so only its form is looked at.
    #[test]
    fn the_example_of_the_standard_has_the_form_but_for_its_claims() {
        let example = "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6\
                       Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
        let error = UnverifiedToken::parse(example).unwrap_err();
        assert_eq!(error, TokenError::Form("its claims have another form"));
    }

    #[test]
    fn what_is_signed_is_verified() {
        for scope in [scope("redhat/centos-stream/src", None), scope("g", Some("hello.el9"))] {
            let token = secret().sign(&scope);
            assert_eq!(verified(token.expose_secret()), Ok(scope.clone()));
            let other = Secret::new(SecretString::from(format!("{SECRET}."))).unwrap();
            let parsed = UnverifiedToken::parse(token.expose_secret()).unwrap();
            assert_eq!(parsed.claimed(), &scope);
            assert_eq!(parsed.verify(&other, 0), Err(TokenError::Signature));
            assert!(!format!("{parsed:?}{:?}", secret()).contains(SECRET));
        }
    }

    #[test]
    fn a_changed_character_breaks_it() {
        let token = secret().sign(&scope("g", None)).expose_secret().to_owned();
        for place in 0..token.len() {
            let mut bytes = token.clone().into_bytes();
            bytes[place] = if bytes[place] == b'A' { b'B' } else { b'A' };
            assert!(verified(&String::from_utf8(bytes).unwrap()).is_err(), "{place}");
        }
    }

    #[test]
    fn a_header_that_asks_for_anything_else_is_refused() {
        let claims = r#"{"namespace":"g"}"#;
        assert_eq!(verified(&signed(r#"{"typ":"JWT","alg":"HS256"}"#, claims)), Ok(scope("g", None)));
        assert_eq!(verified(&signed(r#"{"alg":"HS256"}"#, claims)), Ok(scope("g", None)));
        for header in [
            r#"{"alg":"none","typ":"JWT"}"#,
            r#"{"alg":"None"}"#,
            r#"{"alg":""}"#,
            r#"{"alg":"RS256","typ":"JWT"}"#,
            r#"{"alg":"HS512"}"#,
            r#"{"alg":"hs256"}"#,
            r#"{"alg":["HS256"]}"#,
            r#"{"alg":null}"#,
            r#"{"typ":"JWT"}"#,
            r#"{"alg":"HS256","typ":"JWE"}"#,
            r#"{"alg":"HS256","alg":"none"}"#,
            r#"{"alg":"HS256","crit":["exp"],"exp":1}"#,
            r#"{"alg":"HS256","b64":false}"#,
            r#"{"alg":"HS256","jwk":{"kty":"oct","k":"eA"}}"#,
            "{}",
            "[]",
            "null",
            "",
            "{",
        ] {
            assert!(matches!(verified(&signed(header, claims)), Err(TokenError::Form(_))), "{header}");
        }
        // Without a signature, as `none` would have it.
        let token = secret().sign(&scope("g", None));
        let (signed, _) = token.expose_secret().rsplit_once('.').unwrap();
        assert_eq!(verified(&format!("{signed}.")), Err(TokenError::Signature));
    }

    #[test]
    fn claims_are_a_namespace_and_perhaps_a_project() {
        assert_eq!(verified(&with(r#"{"repo_name":"x","namespace":"g/h","sub":1}"#)), Ok(scope("g/h", Some("x"))));
        let deep = "[".repeat(2000) + &"]".repeat(2000);
        assert_eq!(verified(&with(&format!(r#"{{"namespace":"g","x":{deep}}}"#))), Ok(scope("g", None)));
        for claims in [
            "{}",
            "[]",
            "\"g\"",
            "",
            r#"{"namespace":1}"#,
            r#"{"namespace":null}"#,
            r#"{"namespace":["g"]}"#,
            r#"{"namespace":""}"#,
            r#"{"namespace":"/"}"#,
            r#"{"namespace":"g/"}"#,
            r#"{"namespace":"g/.."}"#,
            r#"{"namespace":"g\u0000"}"#,
            r#"{"namespace":"g","namespace":"h"}"#,
            r#"{"namespace":"g","repo_name":null}"#,
            r#"{"namespace":"g","repo_name":7}"#,
            r#"{"namespace":"g","repo_name":""}"#,
            r#"{"namespace":"g","repo_name":"x/y"}"#,
            r#"{"namespace":"g","repo_name":".."}"#,
            r#"{"namespace":"g","repo_name":"x","repo_name":"y"}"#,
            r#"{"namespace":"g"} x"#,
            &format!(r#"{{"namespace":{deep}}}"#),
            &format!(r#"{{"namespace":"g","exp":{deep}}}"#),
        ] {
            assert!(matches!(verified(&with(claims)), Err(TokenError::Form(_))), "{claims}");
        }
    }

    #[test]
    fn times_count_as_they_do_for_pyjwt() {
        let good = Ok(scope("g", None));
        for (claims, expected) in [
            (r#""exp":1000000001"#, good.clone()),
            (r#""exp":1000000000"#, Err(TokenError::Expired)),
            (r#""exp":1000000000.9"#, Err(TokenError::Expired)),
            (r#""exp":-1"#, Err(TokenError::Expired)),
            (r#""exp":1e300"#, good.clone()),
            (r#""nbf":1000000000,"iat":1000000000"#, good),
            (r#""nbf":1000000001"#, Err(TokenError::NotYet)),
            (r#""iat":1000000001"#, Err(TokenError::NotYet)),
            (r#""aud":"somebody else""#, Err(TokenError::Audience)),
        ] {
            assert_eq!(verified(&with(&format!(r#"{{"namespace":"g",{claims}}}"#))), expected, "{claims}");
        }
        for bad in [r#""exp":null"#, r#""exp":"1e9""#, r#""exp":[]"#, r#""exp":true"#, r#""exp":1e999"#, r#""nbf":"x""#]
        {
            let found = verified(&with(&format!(r#"{{"namespace":"g",{bad}}}"#)));
            assert!(matches!(found, Err(TokenError::Form(_))), "{bad}");
        }
    }

    #[test]
    fn a_token_is_three_parts_of_base64_and_not_long() {
        let token = secret().sign(&scope("g", None)).expose_secret().to_owned();
        for bad in [
            String::new(),
            ".".into(),
            "..".into(),
            "...".into(),
            "a.b".into(),
            format!("{token}.x"),
            format!(".{token}"),
            format!("{token}="),
            format!("{token}\n"),
            format!(" {token}"),
            token.replacen('.', "=.", 1),
            token.replace('.', "\u{ff0e}"),
            "$SGB_WEBHOOK_SECRET".into(),
            "\u{202e}".into(),
            with(&format!(r#"{{"namespace":"g","x":"{}"}}"#, "x".repeat(LENGTH_LIMIT))),
        ] {
            assert!(matches!(verified(&bad), Err(TokenError::Form(_))), "{bad}");
        }
    }

    #[test]
    fn a_scope_covers_what_is_within_it() {
        let of = |namespace, project, path: &str| scope(namespace, project).covers(path);
        assert!(of("a/b", None, "a/b/c") && of("a/b", None, "a/b/sub/c"));
        assert!(!of("a/b", None, "a/b") && !of("a/b", None, "a/bc/x") && !of("a/b", None, "a/B/c"));
        assert!(!of("a/b", None, "x/a/b/c") && !of("a/b", None, "a/b/") && !of("a/b", None, ""));
        assert!(of("a/b", Some("c"), "a/b/c"));
        assert!(!of("a/b", Some("c"), "a/b/cd") && !of("a/b", Some("c"), "a/b/sub/c") && !of("a/b", Some("c"), "a/b"));

        let all = |one: (&str, Option<&str>), other: (&str, Option<&str>)| {
            scope(one.0, one.1).covers_scope(&scope(other.0, other.1))
        };
        assert!(
            all(("a", None), ("a", None)) && all(("a", None), ("a/b", None)) && all(("a", None), ("a/b", Some("c")))
        );
        assert!(all(("a", Some("b")), ("a", Some("b"))));
        assert!(
            !all(("a", Some("b")), ("a", None)) && !all(("a/b", None), ("a", None)) && !all(("a", None), ("ab", None))
        );
        assert!(!all(("a", Some("b")), ("a/b", None)) && !all(("a", Some("b")), ("a", Some("c"))));
    }

    #[test]
    fn a_secret_may_be_short_and_not_empty() {
        let of = |length| Secret::new(SecretString::from("x".repeat(length)));
        assert!(of(0).is_none());
        assert!(of(31).unwrap().is_short() && !of(32).unwrap().is_short());
    }
}
