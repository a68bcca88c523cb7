/** Being written. */
test('placeholder', () => undefined)
