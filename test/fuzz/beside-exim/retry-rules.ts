/** Random retry rules, domains and errors: what `-brt` says. */
import { retryTest } from '../../../src/flow/delivery/retry/test-rule.ts'
import { rulesBench } from './rules.ts'
import type { BesideTarget } from './target.ts'

const main = `primary_hostname = mx.example
qualify_domain = local.example
domainlist inside = *.example : !no.example
`
const patterns = [
  '*',
  'b.example',
  'B.Example',
  '*.example',
  '*b.example',
  'joe@b.example',
  'joe@*.example',
  '*@b.example',
  '*e@b.example',
  '+inside',
  '*@+inside',
  '^b\\\\.',
  '\\N^joe@b\\.\\N',
  '\\N^[^@]+@(.*)\\.example$\\N',
  '!b.example',
  '192.0.2.1',
  '*@*',
  'mx.b.example',
  '[192.0.2.1]',
  '""',
]
const errors = [
  '*',
  '*',
  '*',
  'timeout',
  'timeout_connect',
  'timeout_connect_MX',
  'timeout_connect_A',
  'timeout_MX',
  'timeout_A',
  'refused',
  'refused_MX',
  'refused_A',
  'auth_failed',
  'data_4xx',
  'data_45x',
  'mail_4xx',
  'mail_452',
  'rcpt_4xx',
  'rcpt_45x',
  'rcpt_450',
  'lost_connection',
  'lookup',
  'tls_required',
  'quota',
  'quota_1d',
  'quota_2h',
  'zork',
  'rcpt_5xx',
]
const times = ['1h', '2h', '5m', '30s', '1d', '4d', '15m', '1w', '0s', '1d12h', '90m', 'x', '10', '']
const words = [
  'b.example',
  'joe@b.example',
  'ann@a.b.example',
  'x.example',
  'no.example',
  'joe',
  'joe@no.example',
  '192.0.2.1',
  'mx.b.example',
  'joe@[192.0.2.1]',
]

export const retryRules: BesideTarget = {
  name: 'retry-rules',
  says: 'random retry rules are for the addresses and errors that Exim has them for',
  seed: 1,
  cases: 40,
  make: () =>
    rulesBench({
      section: 'retry',
      main,
      flag: '-brt',
      generate: ({ pick, below }) => {
        const set = (): string =>
          pick([
            () => `F,${pick(times)},${pick(times)}`,
            () =>
              `G,${pick(times)},${pick(times)},${pick(['1.5', '2', '1', '0.5', '1.25', 'x', '10', '2.0'])}`,
            () => `H,${pick(times)},${pick(times)},${pick(['1.5', '2', '3'])}`,
            () => `F, ${pick(times)} , ${pick(times)}`,
            () => pick(['X,1h,1m', 'F', 'F,1h', 'G,1h,1m', 'F,1h,1m,2', 'F 1h 1m', '']),
          ])()
        const sets = (): string =>
          below(8) === 0 ? '' : Array.from({ length: 1 + below(3) }, set).join(pick(['; ', ';', ' ; ']))
        const senders = (): string =>
          below(5) === 0
            ? ` senders=${pick([':', 's@b.example', '"s@b.example : t@c.example"', '*@b.example', '*'])}`
            : ''
        const plain = (): string =>
          below(10) < 7 ? pick(['F,1h,5m', 'G,2h,10m,1.5', 'F,2h,15m; G,16h,1h,1.5', 'H,1d,5m,2']) : sets()
        return {
          rules: Array.from({ length: 1 + below(3) }, () =>
            `${pick(patterns)} ${pick(errors.slice(0, below(12) === 0 ? undefined : -3))}${senders()} ${plain()}`.trimEnd(),
          ),
          questions: Array.from({ length: 3 }, () =>
            [
              ...(below(5) === 0 ? [`-f${pick(['s@b.example', '', 't@c.example', 'u@x.example'])}`] : []),
              pick(words),
              ...(below(4) === 0 ? [pick(words)] : []),
              ...(below(3) === 0 ? [] : [pick(errors.slice(3).filter((name) => !name.includes('5x')))]),
            ].join(' '),
          ),
        }
      },
      answer: async (given, sender, context) => (await retryTest(given, sender, context)).text,
      reasons: [
        {
          why: 'a wrong error is told without a warning before it',
          even: (text) => text.replaceAll(/^Warning: .*\n.*\n/gm, ''),
        },
        {
          why: 'errors are told by their names',
          even: (text) => text.replaceAll(/^(Retry rule: \S+ {2})\S+/gm, '$1*'),
        },
        { why: 'a named list of domains in a rule for addresses', when: /\+inside/ },
      ],
    }),
}
