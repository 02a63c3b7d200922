// One of the processes of the soak: sends, schedules and works by real pg-boss until it is told to stop.
//
// Told what to do by its first line of input, JSON: {"connection", "name", "queues", "scheduled", "rate",
// "ledger"}. Says READY and
// begins; stops sending at the next line and says SENT; ends with its input. What it has sent it appends to the file
// "ledger", an id a line, once pg-boss has said that the job is there. The other kind of process is
// tests/support/soak_worker.py.

import { appendFileSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { setTimeout as pause } from 'node:timers/promises'
import { PgBoss } from 'pg-boss'

const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]()
const { connection, name, queues, scheduled, rate, ledger } = JSON.parse((await lines.next()).value)

const boss = new PgBoss({
  ...connection,
  max: 6,
  useListenNotify: true,
  superviseIntervalSeconds: 5,
  monitorIntervalSeconds: 5,
  cronMonitorIntervalSeconds: 5,
  cronWorkerIntervalSeconds: 1
})
boss.on('error', error => console.error(String(error?.message ?? error)))
await boss.start()
const database = boss.getDb()

async function handle (jobs) {
  return await Promise.all(jobs.map(async job => {
    await database.executeSql(
      'INSERT INTO soak_run (id, attempt, worker) VALUES ($1::uuid, $2::int, $3::text)', [job.id, job.retryCount, name]
    )
    const fate = job.data?.fate ?? 'ok'
    const fails = fate === 'never' || (fate === 'fail_once' && job.retryCount === 0)
    return { id: job.id, status: fails ? 'failed' : 'completed', output: { by: name } }
  }))
}

const options = {
  batchSize: 10,
  perJobResults: true,
  pollingIntervalSeconds: 0.5,
  notifyPollingIntervalSeconds: 0.5,
  burstWhenBatchFull: true
}
for (const queue of [...queues, scheduled]) await boss.work(queue, options, handle)

console.log('READY')

let sending = true
const told = lines.next().then(() => { sending = false })

// A job that fails for good blocks its key where order is kept, as it should; there none does.
function fate (queue) {
  const chance = Math.random()
  return chance < 0.9 ? 'ok' : chance < 0.98 || queue === 'fifo' ? 'fail_once' : 'never'
}

async function sendOne (number) {
  if (number % 25 === 0) {
    const made = await boss.flow([
      { ref: 'a', name: queues[0], data: { fate: 'ok' } },
      { ref: 'b', name: queues[1], data: { fate: 'fail_once' } },
      { ref: 'c', name: queues[0], data: { fate: 'ok' }, dependsOn: ['a', 'b'] }
    ])
    return Object.values(made)
  }
  const queue = queues[number % queues.length]
  const id = await boss.send(queue, { fate: fate(queue) }, { singletonKey: `${name}-${number % 7}` })
  return id === null ? [] : [id]
}

for (let number = 1; sending; number++) {
  const ids = await sendOne(number).catch(error => { console.error(String(error.message)); return [] })
  // A line torn by a kill must not run into the next one.
  for (const id of ids) appendFileSync(ledger, `\n${id}\n`)
  await pause(1000 / rate)
}
await told
console.log('SENT')

await lines.next()
await boss.stop({ graceful: true, timeout: 10000 })
process.exit(0)
