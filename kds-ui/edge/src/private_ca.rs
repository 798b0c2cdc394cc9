//! A program's own certificate authority: devices trust it when they are paired, so TLS needs nobody else.

use crate::files::{self, FileError};
use anyhow::Context;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The authority lives for so many days; a leaf shorter, because browsers insist.
const CA_DAYS: i64 = 3_650;
const LEAF_DAYS: i64 = 397;

/// Certificates of this program, on disk and ready for TLS.
#[derive(Debug)]
pub struct PrivateCa {
    /// What devices must trust, PEM.
    pub ca_pem: String,
    /// Where it lies.
    pub ca_path: PathBuf,
    /// Ready for the accept loop.
    pub tls: Arc<rustls::ServerConfig>,
}

impl PrivateCa {
    /// Reads the authority or makes one, and issues a certificate for these names and addresses unless a fitting one is there.
    /// `program` is its word in files' names and in the certificate. `now_ms` is the machine's own time: whoever checks a
    /// certificate knows no other.
    pub fn open(
        dir: &Path,
        program: &str,
        owner: &str,
        names: &[String],
        addresses: &[IpAddr],
        now_ms: u64,
    ) -> anyhow::Result<Self> {
        files::create_dir(dir)?;
        let (ca_path, ca_key_path) = (dir.join("ca.pem"), dir.join("ca.key"));
        let (ca_pem, ca_key_pem) = match (text(&ca_path)?, text(&ca_key_path)?) {
            (Some(pem), Some(key)) => (pem, key),
            (_, _) => {
                let (pem, key) = new_ca(owner, now_ms)?;
                files::write_whole(&ca_key_path, key.as_bytes())?;
                files::write_whole(&ca_path, pem.as_bytes())?;
                (pem, key)
            }
        };
        let mut wanted: Vec<String> = names.to_vec();
        wanted.extend(addresses.iter().map(IpAddr::to_string));
        wanted.sort();
        wanted.dedup();
        let file = |ending: &str| dir.join(format!("{program}.{ending}"));
        let (leaf_path, key_path, for_path) = (file("pem"), file("key"), file("for"));
        let month = now_ms / (30 * 86_400_000);
        let fits = format!("{}\n{}", month / 6, wanted.join("\n"));
        if text(&for_path)?.as_deref() != Some(fits.as_str()) || text(&leaf_path)?.is_none() {
            let (pem, key) = new_leaf(&ca_pem, &ca_key_pem, program, &wanted, now_ms)?;
            files::write_whole(&key_path, key.as_bytes())?;
            files::write_whole(&leaf_path, pem.as_bytes())?;
            files::write_whole(&for_path, fits.as_bytes())?;
        }
        let leaf = text(&leaf_path)?.context("the own certificate has gone")?;
        let key = text(&key_path)?.context("the own key has gone")?;
        let tls = Arc::new(server_config(&leaf, &key)?);
        Ok(Self { ca_pem, ca_path, tls })
    }
}

fn text(path: &Path) -> Result<Option<String>, FileError> {
    Ok(files::read_if_there(path)?.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()))
}

fn params(now_ms: u64, days: i64) -> anyhow::Result<CertificateParams> {
    let mut params = CertificateParams::default();
    let now = time::OffsetDateTime::from_unix_timestamp(i64::try_from(now_ms / 1000)?)?;
    // A day back: tablets whose clock is slow must not refuse a certificate of this minute.
    params.not_before = now - time::Duration::days(1);
    params.not_after = now + time::Duration::days(days);
    Ok(params)
}

fn new_ca(owner: &str, now_ms: u64) -> anyhow::Result<(String, String)> {
    let mut params = params(now_ms, CA_DAYS)?;
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.distinguished_name.push(DnType::CommonName, format!("Pilotlight {owner}"));
    let key = KeyPair::generate()?;
    let cert = params.self_signed(&key)?;
    Ok((cert.pem(), key.serialize_pem()))
}

fn new_leaf(
    ca_pem: &str,
    ca_key_pem: &str,
    program: &str,
    names: &[String],
    now_ms: u64,
) -> anyhow::Result<(String, String)> {
    let issuer = Issuer::from_ca_cert_pem(ca_pem, KeyPair::from_pem(ca_key_pem)?)?;
    let mut leaf = CertificateParams::new(names.to_vec())?;
    let validity = params(now_ms, LEAF_DAYS)?;
    (leaf.not_before, leaf.not_after) = (validity.not_before, validity.not_after);
    // Never the authority's own name: a leaf whose issuer is called as itself counts as self-signed.
    leaf.distinguished_name.push(DnType::CommonName, format!("{program} of Pilotlight"));
    leaf.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    leaf.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    leaf.use_authority_key_identifier_extension = true;
    let key = KeyPair::generate()?;
    let cert = leaf.signed_by(&key, &issuer)?;
    Ok((format!("{}{ca_pem}", cert.pem()), key.serialize_pem()))
}

fn server_config(leaf_pem: &str, key_pem: &str) -> anyhow::Result<rustls::ServerConfig> {
    let chain: Vec<CertificateDer<'static>> =
        CertificateDer::pem_slice_iter(leaf_pem.as_bytes()).collect::<Result<_, _>>().context("the own certificate")?;
    let key = PrivateKeyDer::from_pem_slice(key_pem.as_bytes()).context("the own key")?;
    let mut config = rustls::ServerConfig::builder().with_no_client_auth().with_single_cert(chain, key)?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}
