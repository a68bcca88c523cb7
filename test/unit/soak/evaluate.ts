import { evaluatorOf } from '../../helpers/evaluate.js'

export const evaluate = evaluatorOf('soak/lib')
