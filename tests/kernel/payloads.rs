//! Signed payloads at the limits of both formats, with the expected claims or the expected refusal.

use crate::support::{NOW, SECRET, key};
use apikee::{KeyError, Keyring, UnixTime, verify_buffer_len};
use serde_json::{Value, json};

/// The expected claims as JSON, not necessarily all of them; or the refusal.
type Expected = Result<&'static str, KeyError>;

const MALFORMED: Expected = Err(KeyError::Decode);

// One line for each case.
#[rustfmt::skip]
const JSON: &[(&str, &[u8], Expected)] = &[
    ("an empty object has the defaults", b"{}", Ok(r#"{"id":"","tenant":"","scopes":[],"environment":"production","expires_at":null,"not_before":null,"meta":{}}"#)),
    ("null is absent", br#"{"id":null,"tid":null,"scp":null,"env":null,"exp":null,"nbf":null,"meta":null}"#, Ok(r#"{"environment":"production","expires_at":null,"meta":{}}"#)),
    ("white space between all tokens", b" \t\r\n{ \"tid\" : \"a\" , \"scp\" : [ \"r\" , \"w\" ] , \"meta\" : { \"b\" : [ ] , \"c\" : { } } }\n", Ok(r#"{"tenant":"a","scopes":["r","w"],"meta":{"b":[],"c":{}}}"#)),
    ("other white space", b"{\x0b}", MALFORMED),
    ("a no-break space", b"{\xc2\xa0}", MALFORMED),
    ("only white space", b" \n", MALFORMED),
    ("a byte order mark", b"\xef\xbb\xbf{}", MALFORMED),
    ("an array", b"[]", MALFORMED),
    ("a string", br#""{}""#, MALFORMED),
    ("a number", b"1", MALFORMED),
    ("null", b"null", MALFORMED),
    ("bytes behind the end", b"{}x", MALFORMED),
    ("a NUL behind the end", b"{}\0", MALFORMED),
    ("two objects", b"{}{}", MALFORMED),
    ("no end", b"{", MALFORMED),
    ("no value", br#"{"a":}"#, MALFORMED),
    ("no colon", br#"{"a" 1}"#, MALFORMED),
    ("two colons", br#"{"a"::1}"#, MALFORMED),
    ("no comma", br#"{"a":1 "b":2}"#, MALFORMED),
    ("two commas", br#"{"a":1,,"b":2}"#, MALFORMED),
    ("a comma at the front", br#"{,"a":1}"#, MALFORMED),
    ("a comma at the end", br#"{"a":1,}"#, MALFORMED),
    ("a comma at the end of an array", br#"{"a":[1,]}"#, MALFORMED),
    ("a comma at the front of an array", br#"{"a":[,1]}"#, MALFORMED),
    ("a comma alone in an array", br#"{"a":[,]}"#, MALFORMED),
    ("a colon in an array", br#"{"a":["b":1]}"#, MALFORMED),
    ("an array that ends as an object", br#"{"a":[1}}"#, MALFORMED),
    ("an object that ends as an array", br#"{"a":{"b":1]}"#, MALFORMED),
    ("an empty array that ends as an object", br#"{"a":[}}"#, MALFORMED),
    ("an empty object that ends as an array", br#"{"a":{]}"#, MALFORMED),
    ("a name without quotes", b"{a:1}", MALFORMED),
    ("a name in single quotes", b"{'a':1}", MALFORMED),
    ("a number as a name", b"{1:1}", MALFORMED),
    ("a comment", b"{/**/}", MALFORMED),
    ("true in capitals", br#"{"a":TRUE}"#, MALFORMED),
    ("half of true", br#"{"a":tru}"#, MALFORMED),
    ("more than true", br#"{"a":truely}"#, MALFORMED),
    ("more than null as a claim", br#"{"exp":nulls}"#, MALFORMED),
    // Numbers, in an unknown member.
    ("all forms of numbers", br#"{"a":[0,-0,1,-1,10,0.5,-0.50,1e9,1E9,1e+9,1e-9,0e0,0.0E-0,1e999,-1e-999,123456789012345678901234567890]}"#, Ok("{}")),
    ("a leading zero", br#"{"a":01}"#, MALFORMED),
    ("a leading zero behind the sign", br#"{"a":-01}"#, MALFORMED),
    ("two zeros", br#"{"a":00}"#, MALFORMED),
    ("nothing behind the point", br#"{"a":1.}"#, MALFORMED),
    ("nothing between the point and the exponent", br#"{"a":1.e1}"#, MALFORMED),
    ("nothing before the point", br#"{"a":.5}"#, MALFORMED),
    ("only a sign", br#"{"a":-}"#, MALFORMED),
    ("two signs", br#"{"a":--1}"#, MALFORMED),
    ("a plus", br#"{"a":+1}"#, MALFORMED),
    ("nothing behind the e", br#"{"a":1e}"#, MALFORMED),
    ("only a sign behind the e", br#"{"a":1e+}"#, MALFORMED),
    ("a fraction as an exponent", br#"{"a":1e1.5}"#, MALFORMED),
    ("hexadecimal", br#"{"a":0x1}"#, MALFORMED),
    ("digits in groups", br#"{"a":1_000}"#, MALFORMED),
    ("not a number", br#"{"a":NaN}"#, MALFORMED),
    ("infinity", br#"{"a":-Infinity}"#, MALFORMED),
    ("digits that are not ASCII", "{\"a\":\u{661}}".as_bytes(), MALFORMED),
    // Times.
    ("good in the second of its expiry", br#"{"exp":1760000000}"#, Ok(r#"{"expires_at":1760000000}"#)),
    ("expired a second before", br#"{"exp":1759999999}"#, Err(KeyError::Expired)),
    ("good from this second on", br#"{"nbf":1760000000}"#, Ok(r#"{"not_before":1760000000}"#)),
    ("good from the next second on", br#"{"nbf":1760000001}"#, Err(KeyError::NotYetValid)),
    ("expiry comes before not-before", br#"{"nbf":1760000001,"exp":0}"#, Err(KeyError::Expired)),
    ("minus zero is an integer", br#"{"nbf":-0}"#, Ok(r#"{"not_before":0}"#)),
    ("minus zero is 1970", br#"{"exp":-0}"#, Err(KeyError::Expired)),
    ("the last time", br#"{"exp":9223372036854775807}"#, Ok(r#"{"expires_at":9223372036854775807}"#)),
    ("a time past the last", br#"{"exp":9223372036854775808}"#, MALFORMED),
    ("the first time", br#"{"nbf":-9223372036854775808}"#, Ok(r#"{"not_before":-9223372036854775808}"#)),
    ("a key that expired at the first time", br#"{"exp":-9223372036854775808}"#, Err(KeyError::Expired)),
    ("a time before the first", br#"{"nbf":-9223372036854775809}"#, MALFORMED),
    ("a time that is 2^64 too large", br#"{"exp":18446744073709551616}"#, MALFORMED),
    ("an exponent in a time", br#"{"exp":2e9}"#, MALFORMED),
    ("a fraction of zero in a time", br#"{"exp":1.0}"#, MALFORMED),
    ("a zero fraction with a minus in a time", br#"{"exp":-0.0}"#, MALFORMED),
    ("a string as a time", br#"{"exp":"1760000000"}"#, MALFORMED),
    ("true as a time", br#"{"exp":true}"#, MALFORMED),
    ("false as a time", br#"{"nbf":false}"#, MALFORMED),
    ("an array as a time", br#"{"nbf":[1]}"#, MALFORMED),
    ("an object as a time", br#"{"nbf":{}}"#, MALFORMED),
    // The types of the other claims.
    ("a number as a tenant", br#"{"tid":1}"#, MALFORMED),
    ("an array as a tenant", br#"{"tid":["a"]}"#, MALFORMED),
    ("an object as an id", br#"{"id":{}}"#, MALFORMED),
    ("false as an environment", br#"{"env":false}"#, MALFORMED),
    ("a string as scopes", br#"{"scp":"read"}"#, MALFORMED),
    ("an object as scopes", br#"{"scp":{"read":true}}"#, MALFORMED),
    ("a number as a scope", br#"{"scp":["read",1]}"#, MALFORMED),
    ("null as a scope", br#"{"scp":["read",null]}"#, MALFORMED),
    ("an array as a scope", br#"{"scp":["read",["write"]]}"#, MALFORMED),
    ("an array as meta", br#"{"meta":[]}"#, MALFORMED),
    ("a string as meta", br#"{"meta":"{}"}"#, MALFORMED),
    ("false as meta", br#"{"meta":false}"#, MALFORMED),
    ("empty strings are strings", br#"{"id":"","tid":"","scp":["",""],"env":""}"#, Ok(r#"{"id":"","scopes":["",""],"environment":""}"#)),
    ("order and duplicates of scopes are kept", br#"{"scp":["b","a","b",""]}"#, Ok(r#"{"scopes":["b","a","b",""]}"#)),
    // Names.
    ("escapes in names", br#"{"\u0074\u0069\u0064":"a","\u006deta":{"\u0062":1}}"#, Ok(r#"{"tenant":"a","meta":{"b":1}}"#)),
    ("names are case-sensitive", br#"{"ID":"x","Tid":1,"EXP":"never"}"#, Ok(r#"{"id":"","tenant":"","expires_at":null}"#)),
    ("an unknown name that starts like a known one", br#"{"met":1,"metadata":2,"i":3,"idd":4,"":5}"#, Ok(r#"{"id":"","meta":{}}"#)),
    ("an unknown name with an escape", br#"{"m\u0065tadata":1}"#, Ok(r#"{"meta":{}}"#)),
    ("a known name with a NUL behind it", br#"{"id\u0000":1}"#, Ok(r#"{"id":""}"#)),
    ("a name twice", br#"{"id":"a","id":"a"}"#, MALFORMED),
    ("a name twice, the second time with an escape", br#"{"id":"a","\u0069d":"a"}"#, MALFORMED),
    ("a name twice, the first time with an escape", br#"{"\u0069d":"a","id":"a"}"#, MALFORMED),
    ("a name twice, with two escapes", br#"{"a\/b":1,"a\u002fb":1}"#, MALFORMED),
    ("a name of a claim twice, null first", br#"{"exp":null,"exp":1}"#, MALFORMED),
    ("an unknown name twice", br#"{"x":1,"y":2,"x":1}"#, MALFORMED),
    ("the empty name twice", br#"{"":1,"":2}"#, MALFORMED),
    ("a name twice in meta", br#"{"meta":{"a":1,"b":{},"a":2}}"#, MALFORMED),
    ("a name twice inside meta", br#"{"meta":{"a":[{"b":1,"c":2,"b":3}]}}"#, MALFORMED),
    ("a name twice in an unknown member", br#"{"x":[0,{"a":1,"a":1}]}"#, MALFORMED),
    ("a name again at another level", br#"{"a":{"a":{"a":1},"b":{"a":1}},"b":1}"#, Ok("{}")),
    ("a name again as a value", br#"{"a":"a","b":["a","b","b"]}"#, Ok("{}")),
    ("names with the same first and last characters", br#"{"meta":{"axb":1,"ayb":2,"ba":3,"ab":4}}"#, Ok(r#"{"meta":{"axb":1,"ayb":2,"ba":3,"ab":4}}"#)),
    ("names with quotes and braces in them", br#"{"meta":{"}\"{":"]\"[","\\":"\\\\",",:":",:"}}"#, Ok(r#"{"meta":{"}\"{":"]\"[","\\":"\\\\",",:":",:"}}"#)),
    // Strings.
    ("every escape", br#"{"tid":"\"\\\/\b\f\n\r\t\u00e9\u20AC\uD83d\uDe00"}"#, Ok(r#"{"tenant":"\"\\/\b\f\n\r\té€😀"}"#)),
    ("escapes in scopes", br#"{"scp":["\u0061","b","\ud83d\ude00\n"]}"#, Ok(r#"{"scopes":["a","b","😀\n"]}"#)),
    ("NUL in an escape", br#"{"id":"\u0000","tid":"a\u0000b","meta":{"\u0000":"\u0000"}}"#, Ok(r#"{"id":"\u0000","tenant":"a\u0000b","meta":{"\u0000":"\u0000"}}"#)),
    ("NUL itself", b"{\"tid\":\"\0\"}", MALFORMED),
    ("a raw line feed", b"{\"tid\":\"\n\"}", MALFORMED),
    ("a raw unit separator", b"{\"tid\":\"1234567\x1f\"}", MALFORMED),
    ("raw DEL", b"{\"tid\":\"\x7f\"}", Ok(r#"{"tenant":"\u007f"}"#)),
    ("raw line separators", "{\"tid\":\"\u{2028}\u{2029}\u{85}\"}".as_bytes(), Ok(r#"{"tenant":"\u2028\u2029\u0085"}"#)),
    ("noncharacters", "{\"tid\":\"\u{FFFF}\u{10FFFF}\u{FDD0}\\uffff\"}".as_bytes(), Ok(r#"{"tenant":"\uffff\udbff\udfff\ufdd0\uffff"}"#)),
    ("a byte order mark in a string", "{\"tid\":\"\u{FEFF}\"}".as_bytes(), Ok(r#"{"tenant":"\ufeff"}"#)),
    ("an unknown escape", br#"{"tid":"\x41"}"#, MALFORMED),
    ("an escaped single quote", br#"{"tid":"\'"}"#, MALFORMED),
    ("a capital U", br#"{"tid":"\U0041"}"#, MALFORMED),
    ("three hexadecimal digits", br#"{"tid":"\u041"}"#, MALFORMED),
    ("a sign among the hexadecimal digits", br#"{"tid":"\u+041"}"#, MALFORMED),
    ("a backslash at the end", br#"{"tid":"\"}"#, MALFORMED),
    ("no end of the string", br#"{"tid":"a}"#, MALFORMED),
    ("an end in an escape", br#"{"tid":"\u00"#, MALFORMED),
    ("a high surrogate alone", br#"{"tid":"\ud800"}"#, MALFORMED),
    ("a high surrogate before text", br#"{"tid":"\ud800abcdef"}"#, MALFORMED),
    ("a high surrogate before another escape", br#"{"tid":"\ud800\n0000"}"#, MALFORMED),
    ("a high surrogate before a letter", br#"{"tid":"\ud800\u0041"}"#, MALFORMED),
    ("a low surrogate alone", br#"{"tid":"\udc00"}"#, MALFORMED),
    ("two high surrogates", br#"{"tid":"\ud800\ud800"}"#, MALFORMED),
    ("surrogates in the wrong order", br#"{"tid":"\udc00\ud800"}"#, MALFORMED),
    ("a pair and a low surrogate", br#"{"tid":"\ud83d\ude00\ude00"}"#, MALFORMED),
    ("a surrogate alone in a scope", br#"{"scp":["\udbff"]}"#, MALFORMED),
    ("a surrogate alone in a name", br#"{"\ud800":1}"#, MALFORMED),
    ("a surrogate alone in meta", br#"{"meta":{"a":["\udfff"]}}"#, MALFORMED),
    ("a surrogate alone in a name in meta", br#"{"meta":{"\udc00":1}}"#, MALFORMED),
    ("a surrogate alone in an unknown member", br#"{"x":{"y":"\ud800"}}"#, MALFORMED),
    ("a surrogate pair in UTF-8", b"{\"tid\":\"\xed\xa0\xbd\xed\xb8\x80\"}", MALFORMED),
    ("a continuation alone", b"{\"tid\":\"\x80\"}", MALFORMED),
    ("UTF-8 cut by the quote", b"{\"tid\":\"\xc3\"}", MALFORMED),
    ("UTF-8 cut by the end", b"{\"tid\":\"\xe2\x82", MALFORMED),
    ("an overlong slash", b"{\"tid\":\"\xc0\xaf\"}", MALFORMED),
    ("an overlong quote", b"{\"tid\":\"\xc0\xa2}", MALFORMED),
    ("an overlong NUL", b"{\"tid\":\"\xc0\x80\"}", MALFORMED),
    ("an overlong form of three bytes", b"{\"tid\":\"\xe0\x80\xaf\"}", MALFORMED),
    ("past U+10FFFF", b"{\"tid\":\"\xf4\x90\x80\x80\"}", MALFORMED),
    ("a byte that never occurs in UTF-8", b"{\"scp\":[\"\xff\"]}", MALFORMED),
    ("bad UTF-8 in an unknown member", b"{\"x\":[\"\xff\"]}", MALFORMED),
    ("bad UTF-8 in an unknown name", b"{\"\xff\":1}", MALFORMED),
    ("bad UTF-8 between tokens", b"{\xff}", MALFORMED),
    // Meta.
    ("meta of every type", br#"{"meta":{"n":null,"t":true,"f":false,"i":-5,"d":0.25,"e":1E2,"s":"\u00e9","a":[[],{},[1,"x"]],"o":{"p":{}}}}"#, Ok(r#"{"meta":{"n":null,"t":true,"f":false,"i":-5,"d":0.25,"e":100.0,"s":"é","a":[[],{},[1,"x"]],"o":{"p":{}}}}"#)),
    ("numbers past 64 bits in meta", br#"{"meta":{"i":9223372036854775807,"u":18446744073709551615,"f":18446744073709551616,"m":-9223372036854775809}}"#, Ok(r#"{"meta":{"i":9223372036854775807,"u":18446744073709551615,"f":18446744073709551616.0,"m":-9223372036854775808.0}}"#)),
];

#[cfg(feature = "msgpack")]
#[rustfmt::skip]
const MESSAGE_PACK: &[(&str, &[u8], Expected)] = &[
    ("an empty map has the defaults", b"\x80", Ok(r#"{"id":"","tenant":"","scopes":[],"environment":"production","expires_at":null,"not_before":null,"meta":{}}"#)),
    ("nil is absent", b"\x83\xa3tid\xc0\xa3exp\xc0\xa4meta\xc0", Ok(r#"{"tenant":"","expires_at":null,"meta":{}}"#)),
    ("map16", b"\xde\x00\x01\xa3tid\xa1a", Ok(r#"{"tenant":"a"}"#)),
    ("map32", b"\xdf\x00\x00\x00\x01\xa3tid\xa1a", Ok(r#"{"tenant":"a"}"#)),
    ("str8", b"\x81\xd9\x03tid\xd9\x01a", Ok(r#"{"tenant":"a"}"#)),
    ("str16", b"\x81\xda\x00\x03tid\xda\x00\x01a", Ok(r#"{"tenant":"a"}"#)),
    ("str32", b"\x81\xdb\x00\x00\x00\x03tid\xdb\x00\x00\x00\x01a", Ok(r#"{"tenant":"a"}"#)),
    ("array16 and array32", b"\x82\xa3scp\xdc\x00\x02\xa1b\xd9\x01a\xa4meta\x81\xa1a\xdd\x00\x00\x00\x01\x01", Ok(r#"{"scopes":["b","a"],"meta":{"a":[1]}}"#)),
    ("empty strings and arrays", b"\x83\xa2id\xa0\xa3scp\x92\xa0\xa0\xa3env\xd9\x00", Ok(r#"{"id":"","scopes":["",""],"environment":""}"#)),
    ("map32 with a count past the end", b"\xdf\xff\xff\xff\xff\xa3tid\xa1a", MALFORMED),
    ("map32 of 65536 members", b"\xdf\x00\x01\x00\x00", MALFORMED),
    ("array32 with a count past the end", b"\x81\xa3scp\xdd\xff\xff\xff\xff\xa1a", MALFORMED),
    ("str32 with a length past the end", b"\x81\xa3tid\xdb\xff\xff\xff\xffa", MALFORMED),
    ("bin32 with a length past the end", b"\x81\xa1x\xc6\xff\xff\xff\xffa", MALFORMED),
    ("ext32 with a length past the end", b"\x81\xa1x\xc9\xff\xff\xff\xff\x01a", MALFORMED),
    ("a string that ends too early", b"\x81\xa3tid\xa2a", MALFORMED),
    ("a map that ends too early", b"\x82\xa3tid\xa1a", MALFORMED),
    ("a name without a value", b"\x81\xa3tid", MALFORMED),
    ("bytes behind the end", b"\x81\xa3tid\xa1a\xc0", MALFORMED),
    ("a byte behind the empty map", b"\x80\x80", MALFORMED),
    ("the byte that is never used", b"\x81\xa1x\xc1", MALFORMED),
    ("the byte that is never used as a claim", b"\x81\xa3exp\xc1", MALFORMED),
    // Names.
    ("an integer as a name", b"\x81\x01\xa1a", MALFORMED),
    ("nil as a name", b"\x81\xc0\xa1a", MALFORMED),
    ("bytes as a name", b"\x81\xc4\x03tid\xa1a", MALFORMED),
    ("an array as a name", b"\x81\x90\xa1a", MALFORMED),
    ("an integer as a name in meta", b"\x81\xa4meta\x81\x01\x02", MALFORMED),
    ("bytes as a name in an unknown member", b"\x81\xa1x\x81\xc4\x01a\x02", MALFORMED),
    ("a name twice", b"\x82\xa3tid\xa1a\xa3tid\xa1a", MALFORMED),
    ("a name twice, in two encodings", b"\x82\xa3tid\xa1a\xd9\x03tid\xa1a", MALFORMED),
    ("an unknown name twice", b"\x83\xa1x\x01\xa1y\x02\xa1x\x01", MALFORMED),
    ("a name twice in meta", b"\x81\xa4meta\x82\xa1a\x01\xa1a\x01", MALFORMED),
    ("a name twice in an array in an unknown member", b"\x81\xa1x\x91\x82\xa1a\x01\xa1a\x01", MALFORMED),
    ("a name again at another level", b"\x82\xa1a\x81\xa1a\x81\xa1a\x01\xa1b\xa1a", Ok("{}")),
    ("a backslash is not an escape", b"\x82\xa8\\u0069d\x41\x01\xa2id\xa2\\n", Ok(r#"{"id":"\\n"}"#)),
    ("bad UTF-8 in a name", b"\x81\xa1\xff\x01", MALFORMED),
    // Times.
    ("every integer", b"\x82\xa3nbf\xd3\x80\x00\x00\x00\x00\x00\x00\x00\xa3exp\xd3\x7f\xff\xff\xff\xff\xff\xff\xff", Ok(r#"{"not_before":-9223372036854775808,"expires_at":9223372036854775807}"#)),
    ("a small negative integer", b"\x81\xa3nbf\xff", Ok(r#"{"not_before":-1}"#)),
    ("int8", b"\x81\xa3nbf\xd0\x80", Ok(r#"{"not_before":-128}"#)),
    ("int16", b"\x81\xa3nbf\xd1\x80\x00", Ok(r#"{"not_before":-32768}"#)),
    ("int32", b"\x81\xa3nbf\xd2\x80\x00\x00\x00", Ok(r#"{"not_before":-2147483648}"#)),
    ("uint8", b"\x81\xa3nbf\xcc\xff", Ok(r#"{"not_before":255}"#)),
    ("uint16", b"\x81\xa3nbf\xcd\xff\xff", Ok(r#"{"not_before":65535}"#)),
    ("uint32", b"\x81\xa3exp\xce\xff\xff\xff\xff", Ok(r#"{"expires_at":4294967295}"#)),
    ("uint64 that fits", b"\x81\xa3exp\xcf\x7f\xff\xff\xff\xff\xff\xff\xff", Ok(r#"{"expires_at":9223372036854775807}"#)),
    ("uint64 that does not fit", b"\x81\xa3exp\xcf\x80\x00\x00\x00\x00\x00\x00\x00", MALFORMED),
    ("float64 as a time", b"\x81\xa3exp\xcb\x41\xe0\x00\x00\x00\x00\x00\x00", MALFORMED),
    ("float32 as a time", b"\x81\xa3exp\xca\x4f\x00\x00\x00", MALFORMED),
    ("a timestamp extension as a time", b"\x81\xa3exp\xd6\xff\x7f\xff\xff\xff", MALFORMED),
    ("a string as a time", b"\x81\xa3exp\xa11", MALFORMED),
    ("true as a time", b"\x81\xa3exp\xc3", MALFORMED),
    ("an integer cut short", b"\x81\xa3exp\xce\xff\xff\xff", MALFORMED),
    ("an expired key", b"\x81\xa3exp\x00", Err(KeyError::Expired)),
    ("a key for later", b"\x81\xa3nbf\xce\xff\xff\xff\xff", Err(KeyError::NotYetValid)),
    // The types of the other claims.
    ("bytes as a tenant", b"\x81\xa3tid\xc4\x01a", MALFORMED),
    ("an integer as a tenant", b"\x81\xa3tid\x01", MALFORMED),
    ("an extension as a tenant", b"\x81\xa3tid\xd4\x01a", MALFORMED),
    ("a map as scopes", b"\x81\xa3scp\x80", MALFORMED),
    ("empty bytes as scopes", b"\x81\xa3scp\xc4\x00", MALFORMED),
    ("an integer as a scope", b"\x81\xa3scp\x92\xa1a\x01", MALFORMED),
    ("nil as a scope", b"\x81\xa3scp\x91\xc0", MALFORMED),
    ("an array as a scope", b"\x81\xa3scp\x91\x91\xa1a", MALFORMED),
    ("an array as meta", b"\x81\xa4meta\x90", MALFORMED),
    ("a string as meta", b"\x81\xa4meta\xa0", MALFORMED),
    ("bad UTF-8 in a tenant", b"\x81\xa3tid\xa1\xff", MALFORMED),
    ("bad UTF-8 in a scope", b"\x81\xa3scp\x91\xa2\xc0\xaf", MALFORMED),
    ("bad UTF-8 in meta", b"\x81\xa4meta\x81\xa1a\xa1\x80", MALFORMED),
    ("bad UTF-8 in an unknown member", b"\x81\xa1x\x91\xa1\x80", MALFORMED),
    ("a surrogate in UTF-8", b"\x81\xa3tid\xa3\xed\xa0\x80", MALFORMED),
    ("control characters stand for themselves", b"\x81\xa3tid\xa3\x00\n\"", Ok(r#"{"tenant":"\u0000\n\""}"#)),
    // Meta.
    ("bytes need not be UTF-8", b"\x81\xa4meta\x81\xa1b\xc4\x02\xff\x00", Ok(r#"{"meta":{"b":[255,0]}}"#)),
    ("bin16 and bin32", b"\x81\xa4meta\x82\xa1a\xc5\x00\x01\x07\xa1b\xc6\x00\x00\x00\x01\x08", Ok(r#"{"meta":{"a":[7],"b":[8]}}"#)),
    ("fixed extensions", b"\x81\xa4meta\x82\xa1a\xd4\x80\x07\xa1b\xd5\x7f\x01\x02", Ok(r#"{"meta":{"a":[-128,[7]],"b":[127,[1,2]]}}"#)),
    ("longer fixed extensions", b"\x81\xa1x\x93\xd6\x001234\xd7\x0012345678\xd8\x001234567890123456", Ok("{}")),
    ("extensions of any length", b"\x81\xa4meta\x83\xa1a\xc7\x00\x01\xa1b\xc8\x00\x01\x02\x09\xa1c\xc9\x00\x00\x00\x01\x03\x09", Ok(r#"{"meta":{"a":[1,[]],"b":[2,[9]],"c":[3,[9]]}}"#)),
    ("an extension cut short", b"\x81\xa1x\xd8\x00123456789012345", MALFORMED),
    ("float32 and float64", b"\x81\xa4meta\x82\xa1a\xca\x3e\x80\x00\x00\xa1b\xcb\xbf\xf8\x00\x00\x00\x00\x00\x00", Ok(r#"{"meta":{"a":0.25,"b":-1.5}}"#)),
    ("float32 cut short", b"\x81\xa1x\xca\x3e\x80\x00", MALFORMED),
    ("NaN in meta is null in JSON", b"\x81\xa4meta\x81\xa1a\xca\x7f\xc0\x00\x00", Ok(r#"{"meta":{"a":null}}"#)),
    ("uint64 past int64 in meta", b"\x81\xa4meta\x81\xa1u\xcf\xff\xff\xff\xff\xff\xff\xff\xff", Ok(r#"{"meta":{"u":18446744073709551615}}"#)),
    ("meta in map16", b"\x81\xa4meta\xde\x00\x02\xa1a\xc2\xa1b\xc3", Ok(r#"{"meta":{"a":false,"b":true}}"#)),
];

#[test]
fn json_payloads_have_the_expected_claims_or_refusal() {
    check(JSON);
}

#[cfg(feature = "msgpack")]
#[test]
fn message_pack_payloads_have_the_expected_claims_or_refusal() {
    check(MESSAGE_PACK);
}

fn check(cases: &[(&str, &[u8], Expected)]) {
    let mut failed = 0;
    for (name, payload, expected) in cases {
        let expected = expected.map(|claims| serde_json::from_str(claims).unwrap());
        let answer = verify(payload);
        let holds = match (&answer, &expected) {
            (Ok(claims), Ok(Value::Object(expected))) => expected.iter().all(|(name, value)| claims[name] == *value),
            (Err(error), Err(expected)) => error == expected,
            _ => false,
        };
        if !holds {
            failed += 1;
            println!("FAILED {name}: {answer:?} instead of {expected:?}");
        }
    }
    assert!(failed == 0, "{failed} of {} payloads were read wrongly", cases.len());
}

fn verify(payload: &[u8]) -> Result<Value, KeyError> {
    let ring = Keyring::new(SECRET).unwrap();
    let key = key(SECRET, payload);
    let mut buf = vec![0; verify_buffer_len(key.len())];
    let verified = ring.verify(&key, UnixTime::from_secs(NOW), &mut buf)?;
    Ok(serde_json::to_value(verified.claims()).unwrap())
}

#[test]
fn an_empty_payload_is_refused() {
    assert_eq!(verify(b""), Err(KeyError::Decode));
    assert_eq!(verify(b"\0"), Err(KeyError::Decode));
}

#[test]
fn json_payloads_nest_at_most_32_levels_deep() {
    let json = |levels: usize| format!("{{\"meta\":{{\"a\":{}{}}}}}", "[".repeat(levels - 2), "]".repeat(levels - 2));
    for levels in [3, 16, 17, 31, 32] {
        assert!(verify(json(levels).as_bytes()).is_ok(), "{levels} levels");
    }
    for levels in [33, 34, 64, 4000] {
        assert_eq!(verify(json(levels).as_bytes()), Err(KeyError::Decode), "{levels} levels");
    }
    let unknown = |levels: usize| format!("{{\"x\":{}1{}}}", "{\"y\":".repeat(levels - 1), "}".repeat(levels - 1));
    assert!(verify(unknown(32).as_bytes()).is_ok());
    assert_eq!(verify(unknown(33).as_bytes()), Err(KeyError::Decode));
    // Not closed, and far deeper than a stack could hold.
    assert_eq!(verify(&[&b"{\"a\":"[..], &b"[".repeat(8000)].concat()), Err(KeyError::Decode));
}

#[cfg(feature = "msgpack")]
#[test]
fn message_pack_payloads_nest_at_most_32_levels_deep() {
    let arrays = |levels: usize| [&b"\x81\xa4meta\x81\xa1a"[..], &b"\x91".repeat(levels - 2), b"\xc0"].concat();
    let maps = |levels: usize| [&b"\x81\xa1a".repeat(levels)[..], b"\xc0"].concat();
    let empty = |levels: usize| [&b"\x81\xa1a".repeat(levels - 1)[..], b"\x80"].concat();
    for levels in [3, 16, 17, 31, 32] {
        assert!(verify(&arrays(levels)).is_ok() && verify(&maps(levels)).is_ok() && verify(&empty(levels)).is_ok());
    }
    for levels in [33, 34, 64, 2000] {
        for payload in [arrays(levels), maps(levels), empty(levels)] {
            assert_eq!(verify(&payload), Err(KeyError::Decode), "{levels} levels");
        }
    }
}

#[test]
fn an_object_may_have_500_members() {
    let members = |count: usize| (0..count).map(|n| format!("\"{n}\":{n}")).collect::<Vec<_>>().join(",");
    let claims = verify(format!("{{\"meta\":{{{}}}}}", members(500)).as_bytes()).unwrap();
    assert_eq!(claims["meta"].as_object().unwrap().len(), 500);
    assert_eq!(claims["meta"]["499"], json!(499));
    assert!(verify(format!("{{{}}}", members(500)).as_bytes()).is_ok());
    // The last name again.
    assert_eq!(verify(format!("{{{},\"499\":0}}", members(500)).as_bytes()), Err(KeyError::Decode));
}

#[test]
fn names_with_the_same_first_and_last_characters_are_distinguished() {
    let members = |count: u32| (0..count).map(|n| format!("\"a{n}z\":{n}")).collect::<Vec<_>>().join(",");
    let claims = verify(format!("{{\"meta\":{{{}}}}}", members(70)).as_bytes()).unwrap();
    let meta = claims["meta"].as_object().unwrap();
    assert!((0..70).all(|n| meta[&format!("a{n}z")] == json!(n)));
    for again in [0, 35, 69] {
        let payload = format!("{{\"meta\":{{{},\"a{again}z\":0}}}}", members(70));
        assert_eq!(verify(payload.as_bytes()), Err(KeyError::Decode), "a{again}z");
    }
}

#[test]
fn an_object_may_have_as_many_members_as_fit() {
    let names: Vec<String> = (0..1160).map(|n| format!("{n:x}")).collect();
    let object = |names: &[String]| {
        let members: Vec<_> = names.iter().map(|name| format!("\"{name}\":1")).collect();
        format!("{{{}}}", members.join(","))
    };
    let good = object(&names[..900]);
    assert!(good.len() <= apikee::key::MAX_PAYLOAD_LEN && verify(good.as_bytes()).is_ok());
    let again = format!("{},\"383\":1}}", &good[..good.len() - 1]);
    assert_eq!(verify(again.as_bytes()), Err(KeyError::Decode));
    // The limits are in the documentation of `JsonObject`.
    let many = if cfg!(target_pointer_width = "64") { 8000 } else { 2000 };
    let large: Vec<String> = (0..many).map(|n| format!("member {n}")).collect();
    assert!(apikee::meta::JsonObject::new(&object(&large)).is_ok());
}

/// A longest payload with as many members as there can be: one name without a byte, 128 names of one byte, and the
/// others of two bytes, each with the value nil.
#[cfg(feature = "msgpack")]
#[test]
fn a_message_pack_object_may_have_as_many_members_as_fit() {
    let two = (0..1950_u16).map(|n| vec![0xa2, (n / 128) as u8, (n % 128) as u8, 0xc0]);
    let members = [vec![0xa0, 0xc0]].into_iter().chain((0..128).map(|byte| vec![0xa1, byte, 0xc0])).chain(two);
    let payload: Vec<u8> = [0xde, 0x08, 0x1f].into_iter().chain(members.flatten()).collect();
    assert_eq!(payload.len(), apikee::key::MAX_PAYLOAD_LEN - 3);
    verify(&payload).unwrap();
    let mut again = payload;
    *again.last_chunk_mut().unwrap() = [0xa2, 0, 0, 0xc0];
    assert_eq!(verify(&again), Err(KeyError::Decode));
}

/// The claims of `make_msgpack.py`, and the bytes that Python's `msgpack` writes for them.
#[cfg(feature = "msgpack")]
#[test]
fn message_pack_is_written_byte_for_byte_like_python() {
    use apikee::{
        Expiry, NewKey, issue_buffer_len,
        key::{Encoding, IssueError},
        meta::JsonObject,
    };

    let cases: Value = serde_json::from_str(include_str!("../data/msgpack.json")).unwrap();
    let (ring, mut buf) = (Keyring::new(SECRET).unwrap(), vec![0; issue_buffer_len(apikee::key::MAX_PAYLOAD_LEN)]);
    let mut failed = 0;
    for case in cases.as_array().unwrap() {
        let name = &case["name"];
        let text = |member: &str| case[member].as_str().unwrap();
        let time = |member: &str| case[member].as_i64().map(UnixTime::from_secs);
        let scopes: Vec<&str> =
            case["scopes"].as_array().unwrap().iter().map(|scope| scope.as_str().unwrap()).collect();
        let mut new = NewKey::new(text("tenant"))
            .scopes(&scopes)
            .environment(text("environment"))
            .expires(time("exp").map_or(Expiry::Never, Expiry::At))
            .meta(JsonObject::new(text("meta")).unwrap())
            .encoding(Encoding::MessagePack);
        if let Some(nbf) = time("nbf") {
            new = new.not_before(nbf);
        }
        let issued = ring.issue_with_id(&new, "31GnZ1t7ZX2ye5UxqDDBe", UnixTime::from_secs(NOW), &mut buf);
        let Some(payload) = case["payload"].as_str() else {
            assert_eq!(issued, Err(IssueError::IntegerTooLarge), "{name}");
            failed += 1;
            continue;
        };
        // One id in 256 is unusable.
        if issued != Err(IssueError::UnusableId) {
            let ours: String =
                crate::support::payload_of(issued.unwrap()).iter().map(|byte| format!("{byte:02x}")).collect();
            assert_eq!(ours, payload, "{name}");
        }
    }
    assert!(failed > 0 && failed < 10);
}

#[test]
fn a_time_that_the_sdks_cannot_read_is_not_issued() {
    use apikee::{Expiry, NewKey, key::IssueError};

    let ring = Keyring::new(SECRET).unwrap();
    let issue = |new: &NewKey<'_>, now: i64| {
        let mut buf = [0; 1024];
        ring.issue(new, UnixTime::from_secs(now), &mut crate::support::Xorshift(3), &mut buf).map(drop)
    };
    let (first, last) = (-62_135_596_800, 253_402_300_799);
    let new = NewKey::new("a");
    for (at, refused) in
        [(first, false), (last, false), (first - 1, true), (last + 1, true), (i64::MAX, true), (i64::MIN, true)]
    {
        let expected = if refused { Err(IssueError::TimeOutOfRange) } else { Ok(()) };
        let time = UnixTime::from_secs(at);
        assert_eq!(issue(&new.expires(Expiry::At(time)), NOW), expected, "exp {at}");
        assert_eq!(issue(&new.not_before(time), NOW), expected, "nbf {at}");
    }
    let after = |secs| Expiry::After(std::time::Duration::from_secs(secs));
    assert_eq!(Expiry::default(), after(90 * 24 * 60 * 60));
    let left = (last - NOW).cast_unsigned();
    assert_eq!(issue(&new.expires(after(left)), NOW), Ok(()));
    assert_eq!(issue(&new.expires(after(left + 1)), NOW), Err(IssueError::TimeOutOfRange));
    assert_eq!(issue(&new.expires(after(u64::MAX)), NOW), Err(IssueError::TimeOutOfRange));
}
