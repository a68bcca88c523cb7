;; What src/native/simd.ts runs, in the memory that all handles read into: masking (RFC 6455 5.3), fragments (5.4), short
;; messages, and text (8.1).
;;
;; Assembled by `node scripts/assemble.mjs` into simd-binary.ts. Addresses are bytes of this memory, `end` is the first byte
;; that does not belong to a range, and a key is 32 bits with its first octet lowest, as WebAssembly lays out numbers. The
;; callers keep every range inside the memory: a wrong one traps, and writes nothing outside.
(module
  ;; 8 pages of 64 KiB, and never more, so that views of it stay valid:
  ;;   0       20 bytes for results, and little else, so that an address minus 64 is never below 0
  ;;   1024    512 bytes: two numbers for each of up to 64 short messages
  ;;   61440   260 KiB that all handles read into
  ;;   327680  64 KiB through which bytes of other memory go
  ;;   393216  128 KiB for text in UTF-16
  (memory (export "memory") 8 8)

  ;; Masks or unmasks the bytes from $at to $end, and writes them to $to: the same place, or any place before it, or one that
  ;; does not overlap. @returns 0 if every byte written is below 0x80
  (func $mask (param $to i32) (param $at i32) (param $end i32) (param $key i32) (result i32)
    (local $keys v128)
    (local $seen v128)
    (local $bytes v128)
    (local $long i64)
    (local $rest i64)
    (local $stop i32)

    ;; Four times the key, which repeats every four bytes: so it is in step after 64, 16, 8 and 4 bytes alike.
    (local.set $keys (i32x4.splat (local.get $key)))

    ;; 64 bytes a round, as long as there are as many. $seen gathers the bits of all bytes that were written.
    (local.set $stop (i32.sub (local.get $end) (i32.const 64)))
    (block $less_than_64
      (loop $round_of_64
        (br_if $less_than_64 (i32.gt_u (local.get $at) (local.get $stop)))
        (local.set $bytes (v128.xor (v128.load (local.get $at)) (local.get $keys)))
        (v128.store (local.get $to) (local.get $bytes))
        (local.set $seen (v128.or (local.get $seen) (local.get $bytes)))
        (local.set $bytes (v128.xor (v128.load offset=16 (local.get $at)) (local.get $keys)))
        (v128.store offset=16 (local.get $to) (local.get $bytes))
        (local.set $seen (v128.or (local.get $seen) (local.get $bytes)))
        (local.set $bytes (v128.xor (v128.load offset=32 (local.get $at)) (local.get $keys)))
        (v128.store offset=32 (local.get $to) (local.get $bytes))
        (local.set $seen (v128.or (local.get $seen) (local.get $bytes)))
        (local.set $bytes (v128.xor (v128.load offset=48 (local.get $at)) (local.get $keys)))
        (v128.store offset=48 (local.get $to) (local.get $bytes))
        (local.set $seen (v128.or (local.get $seen) (local.get $bytes)))
        (local.set $at (i32.add (local.get $at) (i32.const 64)))
        (local.set $to (i32.add (local.get $to) (i32.const 64)))
        (br $round_of_64)))

    ;; 16 bytes a round: at most three.
    (local.set $stop (i32.sub (local.get $end) (i32.const 16)))
    (block $less_than_16
      (loop $round_of_16
        (br_if $less_than_16 (i32.gt_u (local.get $at) (local.get $stop)))
        (local.set $bytes (v128.xor (v128.load (local.get $at)) (local.get $keys)))
        (v128.store (local.get $to) (local.get $bytes))
        (local.set $seen (v128.or (local.get $seen) (local.get $bytes)))
        (local.set $at (i32.add (local.get $at) (i32.const 16)))
        (local.set $to (i32.add (local.get $to) (i32.const 16)))
        (br $round_of_16)))

    ;; What is left are 0 to 15 bytes: 8, 4, 2 and 1, by the bits of their number. $rest gathers their bits.
    (local.set $stop (i32.sub (local.get $end) (local.get $at)))
    (if (i32.and (local.get $stop) (i32.const 8))
      (then
        (local.set $long (i64.xor (i64.load (local.get $at)) (i64x2.extract_lane 0 (local.get $keys))))
        (i64.store (local.get $to) (local.get $long))
        (local.set $rest (local.get $long))
        (local.set $at (i32.add (local.get $at) (i32.const 8)))
        (local.set $to (i32.add (local.get $to) (i32.const 8)))))
    (if (i32.and (local.get $stop) (i32.const 4))
      (then
        (local.set $long (i64.extend_i32_u (i32.xor (i32.load (local.get $at)) (local.get $key))))
        (i64.store32 (local.get $to) (local.get $long))
        (local.set $rest (i64.or (local.get $rest) (local.get $long)))
        (local.set $at (i32.add (local.get $at) (i32.const 4)))
        (local.set $to (i32.add (local.get $to) (i32.const 4)))))
    (if (i32.and (local.get $stop) (i32.const 2))
      (then
        (local.set $long
          (i64.extend_i32_u
            (i32.and (i32.xor (i32.load16_u (local.get $at)) (local.get $key)) (i32.const 0xffff))))
        (i64.store16 (local.get $to) (local.get $long))
        (local.set $rest (i64.or (local.get $rest) (local.get $long)))
        ;; A last byte has the third octet of the key.
        (local.set $key (i32.shr_u (local.get $key) (i32.const 16)))
        (local.set $at (i32.add (local.get $at) (i32.const 2)))
        (local.set $to (i32.add (local.get $to) (i32.const 2)))))
    (if (i32.and (local.get $stop) (i32.const 1))
      (then
        (local.set $long
          (i64.extend_i32_u
            (i32.and (i32.xor (i32.load8_u (local.get $at)) (local.get $key)) (i32.const 0xff))))
        (i64.store8 (local.get $to) (local.get $long))
        (local.set $rest (i64.or (local.get $rest) (local.get $long)))))

    ;; The highest bit of each byte.
    (i32.or
      (i8x16.bitmask (local.get $seen))
      (i64.ne (i64.and (local.get $rest) (i64.const 0x8080808080808080)) (i64.const 0))))

  (export "mask" (func $mask))

  ;; Walks continuation frames (RFC 6455 5.4) that lie whole between $at and $end, one after the other, and joins their payloads,
  ;; unmasked, at $at: over headers and payloads that are done with. It ends after a last fragment, and before whatever
  ;; else: another opcode, a reserved bit, a wrong mask bit, a length of more than 16 bits or not in the shortest form, a
  ;; frame that is cut, one of more than $max_frame bytes, one that makes the message longer than $budget allows. Those are
  ;; left to the parser, which knows what they are. Writes four numbers to address 0: where it ended, where the joined
  ;; payloads end, 0x80 if the last fragment was among them, 0 if all bytes are below 0x80. @returns the number of frames
  (func (export "join") (param $at i32) (param $end i32) (param $mask_bit i32) (param $max_frame i32) (param $budget i32)
    (result i32)
    (local $to i32)
    (local $first i32)
    (local $length i32)
    (local $start i32)
    (local $stop i32)
    (local $key i32)
    (local $seen i32)
    (local $frames i32)
    (local $last i32)
    (local.set $to (local.get $at))
    (block $done
      (loop $next
        ;; The first two bytes: nothing but FIN may be set in the first.
        (br_if $done (i32.gt_u (i32.add (local.get $at) (i32.const 2)) (local.get $end)))
        (local.set $first (i32.load8_u (local.get $at)))
        (br_if $done (i32.and (local.get $first) (i32.const 0x7f)))
        ;; A wrong mask bit makes the length 128 or more.
        (local.set $length (i32.xor (i32.load8_u offset=1 (local.get $at)) (local.get $mask_bit)))
        (local.set $start (i32.add (local.get $at) (i32.const 2)))
        (if (i32.gt_u (local.get $length) (i32.const 125))
          (then
            (br_if $done (i32.ne (local.get $length) (i32.const 126)))
            (br_if $done (i32.gt_u (i32.add (local.get $start) (i32.const 2)) (local.get $end)))
            (local.set $length
              (i32.or
                (i32.shl (i32.load8_u (local.get $start)) (i32.const 8))
                (i32.load8_u offset=1 (local.get $start))))
            (br_if $done (i32.lt_u (local.get $length) (i32.const 126)))
            (local.set $start (i32.add (local.get $start) (i32.const 2)))))
        (if (local.get $mask_bit)
          (then
            ;; A key that is cut makes the frame end after $end as well: it is only not used then.
            (local.set $key (i32.load (local.get $start)))
            (local.set $start (i32.add (local.get $start) (i32.const 4)))))
        (local.set $stop (i32.add (local.get $start) (local.get $length)))
        (br_if $done (i32.gt_u (local.get $stop) (local.get $end)))
        (br_if $done (i32.gt_u (local.get $length) (local.get $max_frame)))
        (br_if $done (i32.gt_u (local.get $length) (local.get $budget)))
        ;; It is a frame, and the last one if FIN is set.
        (local.set $last (local.get $first))
        (local.set $budget (i32.sub (local.get $budget) (local.get $length)))
        (local.set $seen
          (i32.or
            (local.get $seen)
            (call $mask (local.get $to) (local.get $start) (local.get $stop) (local.get $key))))
        (local.set $to (i32.add (local.get $to) (local.get $length)))
        (local.set $at (local.get $stop))
        (local.set $frames (i32.add (local.get $frames) (i32.const 1)))
        (br_if $next (i32.eqz (local.get $first)))))
    (i32.store (i32.const 0) (local.get $at))
    (i32.store offset=4 (i32.const 0) (local.get $to))
    (i32.store offset=8 (i32.const 0) (local.get $last))
    (i32.store offset=12 (i32.const 0) (local.get $seen))
    (local.get $frames))

  ;; Walks short messages of one type that lie whole between $at and $end, one after the other: one frame each, whose first byte
  ;; is $first_byte, 0x81 for text or 0x82 for bytes, with a length of at most 16 bits in the shortest form, at most
  ;; $max_frame. Unmasks each in its place, and writes where its payload begins and ends to address 1024. It stops after 64, and
  ;; before whatever else, which it leaves as it was: also before text that is not ASCII. Writes where it stopped to
  ;; address 0. @returns the number of messages
  (func (export "walk")
    (param $at i32) (param $end i32) (param $first_byte i32) (param $mask_bit i32) (param $max_frame i32) (result i32)
    (local $entry i32)
    (local $start i32)
    (local $stop i32)
    (local $length i32)
    (local $key i32)
    (local.set $entry (i32.const 1024))
    (block $done
      (loop $next
        (br_if $done (i32.gt_u (i32.add (local.get $at) (i32.const 2)) (local.get $end)))
        (br_if $done (i32.ne (i32.load8_u (local.get $at)) (local.get $first_byte)))
        ;; A wrong mask bit makes the length 128 or more.
        (local.set $length (i32.xor (i32.load8_u offset=1 (local.get $at)) (local.get $mask_bit)))
        (local.set $start (i32.add (local.get $at) (i32.const 2)))
        (if (i32.gt_u (local.get $length) (i32.const 125))
          (then
            (br_if $done (i32.ne (local.get $length) (i32.const 126)))
            ;; A length that is cut makes the frame end after $end as well, or is not in the shortest form.
            (local.set $length
              (i32.or
                (i32.shl (i32.load8_u (local.get $start)) (i32.const 8))
                (i32.load8_u offset=1 (local.get $start))))
            (br_if $done (i32.lt_u (local.get $length) (i32.const 126)))
            (local.set $start (i32.add (local.get $start) (i32.const 2)))))
        (br_if $done (i32.gt_u (local.get $length) (local.get $max_frame)))
        (if (local.get $mask_bit)
          (then
            (local.set $key (i32.load (local.get $start)))
            (local.set $start (i32.add (local.get $start) (i32.const 4)))))
        (local.set $stop (i32.add (local.get $start) (local.get $length)))
        (br_if $done (i32.gt_u (local.get $stop) (local.get $end)))
        (if (call $mask (local.get $start) (local.get $start) (local.get $stop) (local.get $key))
          (then
            (if (i32.eq (local.get $first_byte) (i32.const 0x81))
              (then
                ;; Not ASCII: masked again it is what it was.
                (drop (call $mask (local.get $start) (local.get $start) (local.get $stop) (local.get $key)))
                (br $done)))))
        (i32.store (local.get $entry) (local.get $start))
        (i32.store offset=4 (local.get $entry) (local.get $stop))
        (local.set $entry (i32.add (local.get $entry) (i32.const 8)))
        (local.set $at (local.get $stop))
        (br_if $next (i32.lt_u (local.get $entry) (i32.const 1536)))))
    (i32.store (i32.const 0) (local.get $at))
    (i32.shr_u (i32.sub (local.get $entry) (i32.const 1024)) (i32.const 3)))

  ;; Makes $count frames of text at $to, where nothing of the rest lies, of at most 125 bytes each, whose payloads lie one after
  ;; the other at $from. At address 1024 are the length and the key of each, in turn. @returns the address after the last
  (func (export "frames") (param $from i32) (param $count i32) (param $mask_bit i32) (param $to i32) (result i32)
    (local $entry i32)
    (local $end i32)
    (local $stop i32)
    (local $length i32)
    (local $key i32)
    (local.set $entry (i32.const 1024))
    (local.set $end (i32.add (i32.const 1024) (i32.shl (local.get $count) (i32.const 3))))
    (block $done
      (loop $next
        (br_if $done (i32.ge_u (local.get $entry) (local.get $end)))
        (local.set $length (i32.load (local.get $entry)))
        (local.set $key (i32.load offset=4 (local.get $entry)))
        ;; FIN and the opcode of text, the mask bit and the length.
        (i32.store8 (local.get $to) (i32.const 0x81))
        (i32.store8 offset=1 (local.get $to) (i32.or (local.get $mask_bit) (local.get $length)))
        (local.set $to (i32.add (local.get $to) (i32.const 2)))
        (if (local.get $mask_bit)
          (then
            (i32.store (local.get $to) (local.get $key))
            (local.set $to (i32.add (local.get $to) (i32.const 4)))))
        (local.set $stop (i32.add (local.get $from) (local.get $length)))
        ;; Without a mask the key is 0, and this copies.
        (drop (call $mask (local.get $to) (local.get $from) (local.get $stop) (local.get $key)))
        (local.set $from (local.get $stop))
        (local.set $to (i32.add (local.get $to) (local.get $length)))
        (local.set $entry (i32.add (local.get $entry) (i32.const 8)))
        (br $next)))
    (local.get $to))

  ;; Validates the UTF-8 from $at to $end (RFC 3629), and writes it as UTF-16 to $to, where there is room for 2 bytes for each
  ;; byte. Writes the bits of all units to address 16: none above 0xff, and the text is Latin-1. @returns the number of
  ;; units, or -1 for what is not UTF-8, also where it ends inside a character
  (func (export "utf16") (param $at i32) (param $end i32) (param $to i32) (result i32)
    (local $from i32)
    (local $stop i32)
    (local $bytes v128)
    (local $seen i32)
    (local $lead i32)
    (local $more i32)
    (local $unit i32)
    (local.set $from (local.get $to))
    ;; The last address at which 16 bytes begin.
    (local.set $stop (i32.sub (local.get $end) (i32.const 16)))
    (block $done
      (block $bad
        (loop $next
          (br_if $done (i32.ge_u (local.get $at) (local.get $end)))
          (local.set $lead (i32.load8_u (local.get $at)))
          (if (i32.lt_u (local.get $lead) (i32.const 0x80))
            (then
              ;; Text is mostly runs of ASCII: 16 bytes at once, where they are ASCII.
              (if (i32.le_u (local.get $at) (local.get $stop))
                (then
                  (local.set $bytes (v128.load (local.get $at)))
                  (if (i32.eqz (i8x16.bitmask (local.get $bytes)))
                    (then
                      (v128.store (local.get $to) (i16x8.extend_low_i8x16_u (local.get $bytes)))
                      (v128.store offset=16 (local.get $to) (i16x8.extend_high_i8x16_u (local.get $bytes)))
                      (local.set $at (i32.add (local.get $at) (i32.const 16)))
                      (local.set $to (i32.add (local.get $to) (i32.const 32)))
                      (br $next)))))
              (i32.store16 (local.get $to) (local.get $lead))
              (local.set $at (i32.add (local.get $at) (i32.const 1)))
              (local.set $to (i32.add (local.get $to) (i32.const 2)))
              (br $next)))
          ;; The three bytes after the lead: of what lies after $end nothing is used, because $at passes $end then.
          (local.set $more (i32.load offset=1 (local.get $at)))
          (if (i32.lt_u (local.get $lead) (i32.const 0xe0))
            (then
              ;; Two bytes: C2 to DF, and one continuation.
              (br_if $bad (i32.lt_u (local.get $lead) (i32.const 0xc2)))
              (br_if $bad (i32.ne (i32.and (local.get $more) (i32.const 0xc0)) (i32.const 0x80)))
              (local.set $unit
                (i32.or
                  (i32.shl (i32.and (local.get $lead) (i32.const 0x1f)) (i32.const 6))
                  (i32.and (local.get $more) (i32.const 0x3f))))
              (i32.store16 (local.get $to) (local.get $unit))
              (local.set $seen (i32.or (local.get $seen) (local.get $unit)))
              (local.set $at (i32.add (local.get $at) (i32.const 2)))
              (local.set $to (i32.add (local.get $to) (i32.const 2)))
              (br $next)))
          (if (i32.lt_u (local.get $lead) (i32.const 0xf0))
            (then
              ;; Three bytes: two continuations, at least U+0800, and no surrogate.
              (br_if $bad (i32.ne (i32.and (local.get $more) (i32.const 0xc0c0)) (i32.const 0x8080)))
              (local.set $unit
                (i32.or
                  (i32.or
                    (i32.shl (i32.and (local.get $lead) (i32.const 0x0f)) (i32.const 12))
                    (i32.shl (i32.and (local.get $more) (i32.const 0x3f)) (i32.const 6)))
                  (i32.and (i32.shr_u (local.get $more) (i32.const 8)) (i32.const 0x3f))))
              (br_if $bad (i32.lt_u (local.get $unit) (i32.const 0x800)))
              (br_if $bad (i32.eq (i32.and (local.get $unit) (i32.const 0xf800)) (i32.const 0xd800)))
              (i32.store16 (local.get $to) (local.get $unit))
              (local.set $seen (i32.or (local.get $seen) (local.get $unit)))
              (local.set $at (i32.add (local.get $at) (i32.const 3)))
              (local.set $to (i32.add (local.get $to) (i32.const 2)))
              (br $next)))
          ;; Four bytes: three continuations, U+10000 to U+10FFFF; two surrogates.
          (br_if $bad (i32.ne (i32.and (local.get $more) (i32.const 0xc0c0c0)) (i32.const 0x808080)))
          (br_if $bad (i32.gt_u (local.get $lead) (i32.const 0xf4)))
          (local.set $unit
            (i32.or
              (i32.or
                (i32.shl (i32.and (local.get $lead) (i32.const 0x07)) (i32.const 18))
                (i32.shl (i32.and (local.get $more) (i32.const 0x3f)) (i32.const 12)))
              (i32.or
                (i32.shr_u (i32.and (local.get $more) (i32.const 0x3f00)) (i32.const 2))
                (i32.and (i32.shr_u (local.get $more) (i32.const 16)) (i32.const 0x3f)))))
          (local.set $unit (i32.sub (local.get $unit) (i32.const 0x10000)))
          ;; Below U+10000 the difference is huge.
          (br_if $bad (i32.gt_u (local.get $unit) (i32.const 0xfffff)))
          (i32.store16 (local.get $to) (i32.or (i32.const 0xd800) (i32.shr_u (local.get $unit) (i32.const 10))))
          (i32.store16 offset=2 (local.get $to)
            (i32.or (i32.const 0xdc00) (i32.and (local.get $unit) (i32.const 0x3ff))))
          (local.set $seen (i32.const 0xffff))
          (local.set $at (i32.add (local.get $at) (i32.const 4)))
          (local.set $to (i32.add (local.get $to) (i32.const 4)))
          (br $next)))
      (return (i32.const -1)))
    ;; A last character that is cut would pass $end.
    (if (i32.gt_u (local.get $at) (local.get $end)) (then (return (i32.const -1))))
    (i32.store (i32.const 16) (local.get $seen))
    (i32.shr_u (i32.sub (local.get $to) (local.get $from)) (i32.const 1)))

  ;; Writes $units units of UTF-16 at $at as one byte each to $to: before $at, or the same. Each is below 0x100.
  (func (export "narrow") (param $at i32) (param $units i32) (param $to i32)
    (local $end i32)
    (local.set $end (i32.add (local.get $to) (local.get $units)))
    ;; 16 a round; up to 15 too many are written, into room that nobody needs.
    (block $done
      (loop $next
        (br_if $done (i32.ge_u (local.get $to) (local.get $end)))
        (v128.store (local.get $to)
          (i8x16.narrow_i16x8_u (v128.load (local.get $at)) (v128.load offset=16 (local.get $at))))
        (local.set $at (i32.add (local.get $at) (i32.const 32)))
        (local.set $to (i32.add (local.get $to) (i32.const 16)))
        (br $next)))))
