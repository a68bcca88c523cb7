// An echo of so many messages without sockets, for a counter of instructions that looks on from outside.
import { makeFrames, makePipeline } from './pipeline.mjs'

const [contender, chunks] = [process.argv[2], Number(process.argv[3])]
const frames = makeFrames(32, 16)
const { push, messages } = await makePipeline(contender)
for (let i = 0; i < chunks; i++) push(Buffer.from(frames))
if (messages() !== chunks * 16) throw new Error('not all messages came')
