/** Settings of transports that do not do what their names promise. */
import type { Check } from './subject.ts'

export const unverifiedOcsp: Check = {
  name: 'unverified-ocsp',
  doc: 'hosts_require_ocsp without a verified certificate.',
  run({ configuration }, report) {
    for (const { name, driver, setAt, settings } of configuration.transports.values()) {
      const at = setAt.get('hosts_require_ocsp')
      if (driver !== 'smtp' || at === undefined) continue
      const values = new Map<string, unknown>(Object.entries(settings))
      const certificates = values.get('tls_verify_certificates')
      const none =
        setAt.has('tls_verify_certificates') &&
        (certificates === undefined ||
          (typeof certificates === 'object' &&
            certificates !== null &&
            'text' in certificates &&
            certificates.text === ''))
      if (!none) continue
      report({
        code: 'ocsp-unverified',
        severity: 'warning',
        message: `transport ${name}: hosts_require_ocsp needs tls_verify_certificates: a proof cannot be verified without it`,
        at,
        help: 'remove the empty tls_verify_certificates, or set it to "system" or a file',
      })
    }
  },
}
