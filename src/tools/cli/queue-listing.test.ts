import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { QueueEntry } from '../../store/spool/api.ts'
import { age, listingOf, sizeOf } from './queue-listing.ts'

// Sizes and forms as Exim 4.96 printed them for messages of these sizes.
const sizes: readonly (readonly [number, string])[] = [
  [306, '  306'],
  [1186, ' 1.2K'],
  [9186, ' 9.0K'],
  [10_226, '10.0K'],
  [10_466, '  10K'],
  [100_226, '  98K'],
  [1_000_226, ' 977K'],
  [1_048_226, '1024K'],
  [1_060_226, ' 1.0M'],
  [10_400_226, ' 9.9M'],
  [10_600_226, '  10M'],
]
for (const [bytes, shown] of sizes) {
  test(`${bytes} bytes are listed as "${shown}"`, () => assert.equal(sizeOf(bytes), shown))
}

const minute = 60_000
const ages: readonly (readonly [number, string])[] = [
  [0, ' 0m'],
  [25 * minute, '25m'],
  [90 * minute, '90m'],
  [2 * 60 * minute, ' 2h'],
  [72 * 60 * minute, '72h'],
  [96 * 60 * minute, ' 4d'],
]
for (const [ms, shown] of ages)
  test(`an age of ${ms / minute} minutes is "${shown}"`, () => assert.equal(age(ms), shown))

const entry: QueueEntry = {
  id: '1xVgYm-0003YL-0F',
  receivedAt: 0,
  size: 306,
  sender: 'a@b.example',
  frozen: false,
  local: true,
  recipients: [
    { address: 'done@c.example', done: true },
    { address: 'waits@c.example', done: false },
  ],
  generated: ['child@c.example'],
  queueName: '',
  nextAttemptAt: 0,
  firstDelivery: true,
}
const plain = { generated: false, undeliveredOnly: false, idsOnly: false }
const listings = [
  {
    says: '-bp marks what is done',
    entry,
    style: plain,
    text: ' 0m   306 1xVgYm-0003YL-0F <a@b.example>\n        D done@c.example\n          waits@c.example\n\n',
  },
  {
    says: '-bpu leaves out what is done',
    entry,
    style: { ...plain, undeliveredOnly: true },
    text: ' 0m   306 1xVgYm-0003YL-0F <a@b.example>\n          waits@c.example\n\n',
  },
  {
    says: '-bpa adds generated addresses',
    entry,
    style: { ...plain, generated: true },
    text: ' 0m   306 1xVgYm-0003YL-0F <a@b.example>\n        D done@c.example\n          waits@c.example\n       +D child@c.example\n\n',
  },
  {
    says: 'a frozen bounce, and who set its sender',
    entry: { ...entry, sender: '', frozen: true, login: 'joe', recipients: [] },
    style: plain,
    text: ' 0m   306 1xVgYm-0003YL-0F <> (joe) *** frozen ***\n\n',
  },
  { says: '-bpi lists ids', entry, style: { ...plain, idsOnly: true }, text: '1xVgYm-0003YL-0F\n' },
]
for (const { says, entry: shown, style, text } of listings) {
  test(says, () => assert.equal(listingOf(shown, style, 0), text))
}
