/**
 * Sends messages to hosts that speak TLS by Exim and by us, and prints what came of each as JSON. Runs by itself in a
 * network of its own, where port 53 is free and /etc/resolv.conf names 127.0.0.1: `unshare -mn`.
 */
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { TestAuthority } from './certificates.ts'
import { startDnsServer } from './dns-server.ts'
import { type Both, compareRemote, type RemoteResult } from './remote-compare.ts'
import { remoteTlsCases } from './remote-tls-cases.ts'

export interface RemoteTlsComparison {
  readonly says: string
  readonly meant?: string | undefined
  readonly both: Both
}

/** Lines beside that of the address: Exim's of DANE and of options, ours of the host. */
const additional =
  /^(?:DANE attempt failed; |expansion of (?:tls|dane)_\w+ failed: |could not stat .* \(tls_verify_certificates\): |H=\S+ \[\S+: TLS session: )/

const [program = '/usr/sbin/exim4', folder = '', word = ''] = process.argv.slice(2)

const server = await startDnsServer({}, { port: 53 })
const keys = join(folder, 'keys')
mkdirSync(keys)
const cases = remoteTlsCases(new TestAuthority(keys)).filter(({ says }) => says.includes(word))
const results = await compareRemote(cases, folder, program, {
  selectors: '+tls_sni +tls_peerdn +tls_resumption',
  main: 'disable_ipv6 = true\n',
  serve: (zone) => (server.zone = zone),
})
await server.close()
// The results are those of the cases, in their order.
const said = cases.map(({ says, meant }, i): RemoteTlsComparison => {
  const { theirs, ours } = results[i] as Both
  return { says, meant, both: { theirs: withoutWords(theirs), ours: withoutWords(ours) } }
})
process.stdout.write(JSON.stringify(said))

/** Each library has words of its own, and so have we for what an option has wrong. */
function withoutWords(result: RemoteResult): RemoteResult {
  const plain = (text: string): string =>
    text.replace(
      /(TLS session: (?:\(certificate [a-z ]+ failed\))?)[^]*?(?=: delivering unencrypted| T T T$|$)/,
      (_, begin: string) => (begin.endsWith(')') ? begin : `${begin}...`),
    )
  return {
    ...result,
    log: result.log.filter((line) => !additional.test(line)).map(plain),
    retry: result.retry.map(plain),
  }
}
