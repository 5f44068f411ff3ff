//! How the program reaches GitLab: certificate authorities, proxies, servers that never answer.

mod proxy;
mod tls;
