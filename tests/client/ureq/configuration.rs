//! The options of the transport, and the errors in them.

use std::{path::Path, time::Duration};

use apikee::{
    Apikee, ConfigError,
    client::{Call, Setting, TransportError, UreqTransport, UreqTransportError},
};

#[test]
fn base_urls_of_https_and_of_http_to_this_machine_are_accepted() {
    for url in [
        "https://apikee.dev/api/v1",
        "https://apikee.dev",
        "https://apikee.dev/",
        "https://apikee.dev:8443/a/b/",
        "HTTPS://APIKEE.DEV",
        "https://192.0.2.1",
        "https://[2001:db8::1]:443/x",
        "http://localhost:3000",
        "http://LocalHost",
        "http://127.0.0.1:1/api",
        "http://127.8.9.10",
        "http://[::1]:80/",
    ] {
        UreqTransport::new(url).unwrap_or_else(|error| panic!("{url}: {error}"));
    }
}

#[test]
fn unusable_base_urls_are_refused_with_the_reason() {
    for (expected, urls) in [
        (UreqTransportError::NoScheme, &["", "/", "apikee.dev", "apikee.dev/v1", "apikee.dev:443", "//apikee.dev"][..]),
        (
            UreqTransportError::Credentials,
            &["https://user@apikee.dev", "https://user:password@apikee.dev", "http://a@b"],
        ),
        (
            UreqTransportError::QueryOrFragment,
            &["https://apikee.dev?a=b", "https://apikee.dev/api?", "https://apikee.dev/#f"],
        ),
    ] {
        for url in urls {
            assert_eq!(UreqTransport::new(url).map(|_| ()), Err(expected), "{url:?}");
        }
    }
    for url in [
        "https://",
        "https:///api",
        "https://:443",
        "https://apikee.dev:",
        "https://apikee.dev:port",
        "https://apikee.dev:99999",
        "https://a b",
        "https://apikee.dev/\u{e9}",
        "https://apikee..dev",
        "https://[::1",
        "ftp://apikee.dev",
        "socks5://127.0.0.1",
        "file:///etc/passwd",
        " https://apikee.dev",
        "https://apikee.dev\n",
        "https://пример.example",
    ] {
        assert_eq!(UreqTransport::new(url).map(|_| ()), Err(UreqTransportError::BaseUrl), "{url:?}");
    }
}

#[test]
fn plain_http_to_other_machines_needs_permission() {
    for url in [
        "http://apikee.dev",
        "http://192.0.2.1",
        "http://[2001:db8::1]",
        "http://localhost.apikee.dev",
        "http://127.0.0.1.apikee.dev",
        "http://0.0.0.0",
    ] {
        assert_eq!(UreqTransport::new(url).map(|_| ()), Err(UreqTransportError::PlainHttp), "{url}");
        UreqTransport::builder().base_url(url).allow_plain_http().build().unwrap();
    }
    // Such a proxy would connect to its own machine.
    let local = |proxy| UreqTransport::builder().base_url("http://localhost:1").proxy(proxy);
    for proxy in ["http://192.0.2.1:3128", "http://proxy", "http://[2001:db8::1]:3128", "https://192.0.2.1"] {
        assert_eq!(local(proxy).build().map(|_| ()), Err(UreqTransportError::PlainHttp), "{proxy}");
        local(proxy).allow_plain_http().build().unwrap();
    }
    for proxy in ["http://127.0.0.1:3128", "http://localhost:3128", "http://[::1]:3128"] {
        local(proxy).build().unwrap();
    }
}

#[test]
fn malformed_proxies_are_refused() {
    for url in ["", "http://", "socks5://127.0.0.1:1080", "ftp://proxy", "http://a b", "://"] {
        let error = UreqTransport::builder().proxy(url).build().map(|_| ());
        assert_eq!(error, Err(UreqTransportError::Proxy), "{url:?}");
    }
    for url in ["http://proxy", "http://user:password@proxy:3128", "https://proxy:3129", "proxy:3128"] {
        UreqTransport::builder().proxy(url).build().unwrap();
    }
}

#[test]
fn connect_timeout_of_zero_is_refused() {
    let error = UreqTransport::builder().connect_timeout(Duration::ZERO).build().map(|_| ());
    assert_eq!(error, Err(UreqTransportError::ConnectTimeout));
}

#[test]
fn errors_and_debug_output_contain_no_secrets() {
    let builder = UreqTransport::builder().proxy("http://user:hunter2@proxy.example:3128");
    let mut shown = format!("{builder:?}");
    shown.push_str(&format!("{:?}", builder.build().unwrap()));
    assert!(!shown.contains("hunter2") && !shown.contains("user:") && shown.contains("https://apikee.dev"), "{shown}");
    for error in [
        UreqTransport::new("https://user:hunter2@apikee.dev").unwrap_err(),
        UreqTransport::new("http://hunter2.example").unwrap_err(),
        UreqTransport::builder().proxy("ftp://user:hunter2@proxy").build().unwrap_err(),
        UreqTransport::builder().ca_pem(b"hunter2").build().unwrap_err(),
    ] {
        let shown = format!("{error} {error:?}");
        assert!(!shown.contains("hunter2"), "{shown}");
        let option = ["base_url", "proxy", "ca_pem"].into_iter().find(|option| shown.starts_with(option));
        assert!(option.is_some(), "{shown}");
    }
}

/// The settings of server mode, except those of the transport.
pub(crate) fn server_mode() -> apikee::client::ApikeeBuilder {
    Apikee::builder()
        .secret(b"secret")
        .project_key("sk_test_0123456789abcdef0123456789abcdef")
        .project_env("app-test")
        .server_public_key(&"09".repeat(32))
        .background_thread(false)
}

#[test]
fn default_url_of_a_transport_is_the_published_platform() {
    let transport = format!("{:?}", apikee::client::UreqTransport::builder().build().unwrap());
    assert!(transport.contains("https://apikee.dev/api/v1"), "{transport}");
}

#[test]
fn client_has_a_setting_for_the_base_url() {
    server_mode().base_url("https://apikee.example/api/v1").build().unwrap();
    for (url, expected) in
        [("apikee.example", UreqTransportError::NoScheme), ("http://apikee.example", UreqTransportError::PlainHttp)]
    {
        match server_mode().base_url(url).build() {
            Err(ConfigError::Unusable(Setting::BaseUrl, error)) => {
                assert_eq!(error.downcast_ref(), Some(&expected));
            }
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn settings_of_the_connection_combine_in_any_order() {
    const URL: &str = "http://apikee.example";
    server_mode().base_url(URL).allow_plain_http().build().unwrap();
    server_mode().allow_plain_http().base_url(URL).build().unwrap();
    server_mode().base_url(URL).base_url("https://apikee.example").build().unwrap();
    let mine = |_: &Call<'_>, _: &mut [u8]| Err(TransportError::OVERSIZED);
    server_mode().base_url(URL).transport(mine).build().unwrap();
    server_mode().transport(mine).base_url(URL).build().unwrap();
}

#[test]
fn unreadable_authorities_are_an_error_that_names_the_setting() {
    let empty = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("empty-{}.pem", std::process::id()));
    std::fs::write(&empty, "").unwrap();
    let huge = empty.with_file_name(format!("huge-{}.pem", std::process::id()));
    std::fs::File::create(&huge).unwrap().set_len(16 * 1024 * 1024 + 1).unwrap();
    for (builder, reason) in [
        (server_mode().ca_file("no/such/file.pem"), "(os error 2)"),
        (server_mode().ca_file(&empty), "cannot be used: it is not PEM with certificates"),
        (server_mode().ca_file(&huge), "the file is too large"),
        (server_mode().add_ca_pem(b"hunter2"), "cannot be used: it is not PEM with certificates"),
    ] {
        let said = builder.build().unwrap_err().to_string();
        assert!(said.starts_with("ca_file (APIKEE_CA_FILE) cannot be used: "), "{said}");
        assert!(said.contains(reason) && said.contains("(expected: the path of a PEM file"), "{said}");
        assert!(!said.contains("hunter2"), "{said}");
    }
    [empty, huge].iter().for_each(|file| std::fs::remove_file(file).unwrap());
}
