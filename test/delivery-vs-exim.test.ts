/** Deliveries of a real Exim and of Postern on the same configuration: log lines and delivered bytes. */
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { compareDeliveries } from './support/delivery-compare.ts'
import { deliveryCases } from './support/delivery-cases.ts'
import { temporaryFolder } from './support/server.ts'

const exim = process.env.POSTERN_TEST_EXIM4
const skip =
  exim === undefined
    ? 'no Exim on this machine to compare with'
    : process.getuid?.() === 0
      ? false
      : 'needs root: Exim gives up its rights for a file given with -C'

const folder = temporaryFolder('delivery-vs-exim')
after(() => folder.remove())

const main = `keep_environment =
primary_hostname = mta.example
qualify_domain = x.example
never_users =
queue_only
trusted_users = root
bounce_return_size_limit = 10K
`
const common = {
  routers: `rest:
  driver = accept
  domains = x.example
  local_parts = box
  transport = box
  user = nobody
replies:
  driver = accept
  domains = reply.example
  local_parts = lsearch;HOME/names
  transport = replies
far:
  driver = accept
  domains = ! x.example
  transport = far
  user = nobody
`,
  transports: `box:
  driver = appendfile
  file = HOME/box
far:
  driver = appendfile
  file = HOME/far
  create_directory = no
to_file:
  driver = appendfile
  file = \${if match{$address_file}{^/}{$address_file}{$home/$address_file}}
to_directory:
  driver = appendfile
  maildir_format
to_pipe:
  driver = pipe
  return_output
to_reply:
  driver = autoreply
  user = 64001
  group = 64001
replies:
  driver = appendfile
  file = HOME/\${local_part_data}/reply
  envelope_to_add
  return_path_add
  user = nobody
`,
}

const results = skip === false ? compareDeliveries(deliveryCases, main, common, folder.path, exim ?? '') : []

deliveryCases.forEach((one, i) => {
  test(`${i + 1}: ${one.says}`, { skip }, () => {
    const result = results[i]
    assert.ok(result)
    if (one.meant !== undefined) {
      assert.notDeepEqual(result.ours, result.theirs)
      return
    }
    assert.deepEqual(result.ours, result.theirs)
    assert.ok(result.theirs.log.length > 0)
    // A case whose routers never take its address shows nothing.
    if (one.unroutable !== true) assert.doesNotMatch(result.theirs.log.join('\n'), /Unrouteable/)
  })
})
