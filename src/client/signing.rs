//! Signed requests: `x-apikee-signature` (docs/WIRE.md, "The platform's API").
//!
//! The signature is RSASSA-PKCS1-v1_5 with SHA-256 over `{client uuid}|{method_path}|{timestamp}`, as base64url without
//! padding. Signing takes one or two milliseconds with a key of 2048 bits.

use core::error::Error;
use std::{boxed::Box, string::String};

#[cfg(feature = "request-signing")]
pub use self::rsa::{RequestSigner, SignerError};
use crate::protocol::Request;

/// The signature could not be made.
pub(super) struct NotSigned;

/// Makes the value of the header `x-apikee-signature`.
pub(super) trait Sign: Send + Sync {
    fn sign(&self, message: &str) -> Result<String, NotSigned>;
}

/// The signature, if this kind of request is signed.
pub(super) fn sign(request: &impl Request, signer: &dyn Sign) -> Result<Option<String>, NotSigned> {
    let mut message = String::new();
    request.write_signed(&mut message).map_err(|_| NotSigned)?;
    if message.is_empty() { Ok(None) } else { signer.sign(&message).map(Some) }
}

/// Makes a signer from an RSA private key in PEM.
#[cfg(feature = "request-signing")]
pub(super) fn signer(pem: &str) -> Result<Box<dyn Sign>, Box<dyn Error + Send + Sync>> {
    Ok(Box::new(RequestSigner::from_pem(pem)?))
}

/// Fails, because the feature `request-signing` is off.
#[cfg(not(feature = "request-signing"))]
pub(super) fn signer(_pem: &str) -> Result<Box<dyn Sign>, Box<dyn Error + Send + Sync>> {
    Err("signing requests needs the feature request-signing".into())
}

#[cfg(feature = "request-signing")]
mod rsa {
    use core::{error::Error, fmt};
    use std::{
        string::{String, ToString as _},
        vec,
    };

    use base64ct::{Base64UrlUnpadded, Encoding as _};
    use ring::{
        rand::SystemRandom,
        signature::{RSA_PKCS1_SHA256, RsaKeyPair},
    };
    use rustls_pki_types::{PrivateKeyDer, pem::PemObject as _};

    use super::{NotSigned, Sign};
    use crate::crypto::Zeroize as _;

    /// Signs validation requests, for projects with a configured public key.
    ///
    /// The key pair belongs to `ring`, which does not wipe it on drop.
    pub struct RequestSigner {
        key: RsaKeyPair,
    }

    impl RequestSigner {
        /// Takes an RSA private key of 2048 to 4096 bits as PEM: PKCS#8 (`PRIVATE KEY`) or PKCS#1 (`RSA PRIVATE KEY`),
        /// not encrypted.
        ///
        /// # Errors
        ///
        /// See [`SignerError`].
        pub fn from_pem(pem: &str) -> Result<Self, SignerError> {
            let mut der = PrivateKeyDer::from_pem_slice(pem.as_bytes())
                .map_err(|_| if pem.contains("ENCRYPTED") { SignerError::Encrypted } else { SignerError::NotPem })?;
            let key = match &der {
                PrivateKeyDer::Pkcs1(der) => Some(RsaKeyPair::from_der(der.secret_pkcs1_der())),
                PrivateKeyDer::Pkcs8(der) => Some(RsaKeyPair::from_pkcs8(der.secret_pkcs8_der())),
                _ => None,
            };
            der.zeroize();
            let key = key.ok_or(SignerError::NotRsa)?.map_err(|rejected| match rejected.to_string().as_str() {
                "WrongAlgorithm" => SignerError::NotRsa,
                "TooSmall" | "TooLarge" => SignerError::Size,
                _ => SignerError::Malformed,
            })?;
            let this = Self { key };
            // Some parts of a key are checked against each other only when it signs. So it signs once here.
            this.signature(b"").ok_or(SignerError::Malformed)?;
            Ok(this)
        }

        fn signature(&self, message: &[u8]) -> Option<String> {
            let mut signature = vec![0; self.key.public().modulus_len()];
            self.key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), message, &mut signature).ok()?;
            let mut text = vec![0; Base64UrlUnpadded::encoded_len(&signature)];
            Base64UrlUnpadded::encode(&signature, &mut text).ok().map(Into::into)
        }
    }

    impl Sign for RequestSigner {
        fn sign(&self, message: &str) -> Result<String, NotSigned> {
            self.signature(message.as_bytes()).ok_or(NotSigned)
        }
    }

    /// Shows only the length of the key in bits.
    impl fmt::Debug for RequestSigner {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            let bits = self.key.public().modulus_len().saturating_mul(8);
            f.debug_struct("RequestSigner").field("bits", &bits).finish_non_exhaustive()
        }
    }

    /// Why a text cannot be used as a signing key.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    #[non_exhaustive]
    pub enum SignerError {
        /// The text contains no private key as PEM.
        NotPem,
        /// The key is encrypted with a passphrase.
        Encrypted,
        /// The key is of another algorithm.
        NotRsa,
        /// The key has fewer than 2048 bits, or more than 4096.
        Size,
        /// The key is malformed, or its parts do not match.
        Malformed,
    }

    impl fmt::Display for SignerError {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str(match self {
                Self::NotPem => "the text contains no private key in PEM",
                Self::Encrypted => "the private key is encrypted: remove its passphrase",
                Self::NotRsa => "the private key is not an RSA key",
                Self::Size => "the private key does not have 2048 to 4096 bits",
                Self::Malformed => "the private key is not well-formed",
            })
        }
    }

    impl Error for SignerError {}

    #[cfg(test)]
    mod tests {
        use ring::signature::{RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
        use serde_json::Value;

        use super::{super::sign, *};
        use crate::{
            protocol::{ClientId, MethodPath, Timestamp, ValidateRequest},
            time::UnixTime,
        };

        // Generated for these tests with `openssl genrsa -traditional 2048` and `openssl pkcs8 -topk8 -nocrypt`.
        const PKCS1: &str = include_str!("../../tests/data/signing-test-key.pkcs1.pem");
        const PKCS8: &str = include_str!("../../tests/data/signing-test-key.pkcs8.pem");
        /// `openssl dgst -sha256 -sign` over
        /// `497f6eca-6276-4993-bfeb-53cbbbba6f08|GET:::/users|2026-11-24T02:21:45.017Z`, in base64url.
        const SIGNATURE: &str = include_str!("../../tests/data/signing-test-key.signature");

        #[test]
        fn both_forms_of_a_key_sign_as_openssl_does() {
            for pem in [PKCS1, PKCS8] {
                let signer = RequestSigner::from_pem(pem).unwrap();
                let client = ClientId::new("497f6eca-6276-4993-bfeb-53cbbbba6f08").unwrap();
                let timestamp = Timestamp::new(UnixTime::from_millis(1_795_486_905_017)).unwrap();
                let method_path = MethodPath::new("get", "users?page=2").unwrap();
                let signature = sign(&ValidateRequest::new(client, "e", method_path, timestamp), &signer);
                assert_eq!(signature.ok().flatten().as_deref(), Some(SIGNATURE.trim()));
                assert_eq!(format!("{signer:?}"), "RequestSigner { bits: 2048, .. }");
            }
        }

        /// The published Python SDK signs the same message.
        #[test]
        fn the_recorded_signature_is_over_the_same_message() {
            let recorded: Value = serde_json::from_str(include_str!("../../tests/vectors/http.json")).unwrap();
            let exchanges = recorded["exchanges"].as_array().unwrap();
            let signed =
                exchanges.iter().find(|exchange| !exchange["headers"]["X-Apikee-Signature"].is_null()).unwrap();
            let pem = signed["request_signing_public_key_pem"].as_str().unwrap();
            let public = rustls_pki_types::SubjectPublicKeyInfoDer::from_pem_slice(pem.as_bytes()).unwrap();
            // For 2048 bits, the key starts after 24 bytes of SubjectPublicKeyInfo.
            let public = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, public[24..].to_vec());
            let target = signed["target"].as_str().unwrap();
            let client = &target["/api/v1/client/".len()..][..36];
            let message = format!("{client}|GET:::/signed|{}", signed["body"]["timestamp"].as_str().unwrap());
            let mut signature = [0; 256];
            Base64UrlUnpadded::decode(signed["headers"]["X-Apikee-Signature"].as_str().unwrap(), &mut signature)
                .unwrap();
            assert!(public.verify(message.as_bytes(), &signature).is_ok());
            assert!(public.verify(message.replace(":::", ":").as_bytes(), &signature).is_err());
        }

        #[test]
        fn each_kind_of_unusable_signing_key_has_its_own_error() {
            let refusal = |pem: &str| RequestSigner::from_pem(pem).unwrap_err();
            assert_eq!(refusal(""), SignerError::NotPem);
            assert_eq!(refusal("no PEM"), SignerError::NotPem);
            assert_eq!(refusal(&PKCS8[..PKCS8.len() / 2]), SignerError::NotPem);
            assert_eq!(refusal(&PKCS8.replace("PRIVATE", "ENCRYPTED PRIVATE")), SignerError::Encrypted);
            assert_eq!(refusal(&PKCS1.replace("RSA PRIVATE", "EC PRIVATE")), SignerError::NotRsa);
            assert_eq!(refusal(include_str!("../../tests/data/ec-test-key.pem")), SignerError::NotRsa);
            assert_eq!(refusal(include_str!("../../tests/data/small-test-key.pem")), SignerError::Size);
            assert_eq!(refusal(&PKCS1.replace("RSA PRIVATE", "PRIVATE")), SignerError::Malformed);
        }
    }
}
