//! The public half of the key that signs the shipped model.
//!
//! The private half lies in the open at `models/demo-signing-key.pem`: anybody can sign with it, so it is worthless for
//! trust. `tadpole demo` and `tadpole replay` alone believe it; `tadpole run` trusts the keys in its config.

use firmware_config::sign::{PublicKey, TrustedKeys};

/// The demo's public key.
pub const DEMO_PUBLIC_KEY_HEX: &str = "b2f859ce8a949a8e946996737c5ed64186d9bb53312bc49410cbd98e2f6f8991";

/// The demo's key as a set of trusted keys: for `demo` and `replay`, never for `run`.
pub fn demo_keys() -> TrustedKeys {
    // A test holds that the constant is a key; were it none, nothing would be trusted.
    DEMO_PUBLIC_KEY_HEX.parse().map_or_else(|_| TrustedKeys::default(), TrustedKeys::only)
}

/// Is this the demo's key?
pub fn is_demo_key(key: PublicKey) -> bool {
    demo_keys().contains(key)
}
