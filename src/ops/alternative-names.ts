/** The names of a certificate, from the text that Node makes of the extension subjectAltName. */

/** `DNS:a.b`, or `DNS:"a, b"` as JSON where the name has characters that could be taken for others. */
const ENTRY = /(DNS|email|URI|IP Address|[A-Za-z ]+):(?:"((?:[^"\\]|\\.)*)"|([^,"]*))(?:, |$)/gy;

const KINDS: ReadonlySet<string> = new Set(['DNS', 'email', 'URI', 'IP Address']);

/**
 * DNS names, addresses of mail and of hosts, and URIs; other kinds are left out. Behaviour: prometheus/exporter-toolkit
 * web/tls_config.go, VerifyPeerCertificate.
 */
export function alternativeNames(text: string | undefined): string[] {
  const names: string[] = [];
  for (const [, kind = '', quoted, plain = ''] of (text ?? '').matchAll(ENTRY)) {
    if (!KINDS.has(kind)) continue;
    const name = quoted === undefined ? plain : (JSON.parse(`"${quoted}"`) as string);
    names.push(kind === 'IP Address' ? shortAddress(name) : name);
  }
  return names;
}

/** An IPv6 address as Go writes it (RFC 5952): Node has groups of capitals, none left out. */
function shortAddress(address: string): string {
  if (!address.includes(':')) return address;
  return new URL(`http://[${address}]/`).hostname.slice(1, -1);
}
