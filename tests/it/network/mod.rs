//! How the program reaches GitLab: certificate authorities and proxies.

mod proxy;
mod proxy_server;
mod tls;
mod world;
