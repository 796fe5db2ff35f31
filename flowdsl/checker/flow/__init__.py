"""Following a flow along every path it can take, without running it.

In: a `Document`. Out: findings about what is undefined, unreachable, written twice, always true. Begin at
`analysis.check_paths`; `abstract_run` walks the steps, one module follows each kind of shape. Nothing here raises for
a mistake in a flow: it goes to `Findings`, and what is wrong gives any value, so that one mistake is reported once.

**What is known.** A `State` says of each FlowContext key its `Type` (a set of kinds, with what is in lists and maps)
and whether every path to this point sets it (`Entry.always`); a key that it does not name is set by none. A state is
a layer of changes over the one it branched from. So a branch costs what it changes, not what is known.

**Every path at once.** The run does not walk paths one by one, of which there are as many as two to the number of
choices. It walks the steps once, in order. Where paths part, each block goes on from a layer of its own, narrowed by
what the condition says there (`narrowing`). Where they meet, `state.merge` joins the layers: a key has the types of
all of them, and is always set if each of them sets it. A block that never comes to its end (END, RAISE) has a reason
in `State.dead`, and is left out of the merge.

**Paths that jump.** END, a return, BREAK and CONTINUE leave blocks in the middle. Who they leave to stands in
`AbstractRun.ends`, `returns` and `loops` as a `Frame`, which collects what is known at each way out and is merged
where the path goes on. The first 8 ways out of one block are kept apart, further ones are folded into the last: after
8 a message may be less exact, and what is known stays right. An error can come from any step of a TRY's body, so its
`catch` begins in the state before the body, joined with everything the body may have written
(`AbstractRun.observers`).

**Loops, and why following them ends.** The state at the head of a loop holds before every iteration: it is the state
before the loop joined with what comes back from the end of an iteration and from each CONTINUE. What comes back is
not known before the body was followed, so the body is followed again and again: first from the state before the loop
alone, then from that joined with what came back, until what comes back says nothing that the head did not say already
(`state.covers`). Then the head is true before each iteration, however many there are: that is the fixed point. It is
reached, because from round to round a head only loses knowledge. `always` goes from true to false and not back; types
only grow; and the keys are those the body writes. Only types could grow for ever, as a list does that each iteration
wraps in one more list, and only a chain of loops inside the body, each of which runs when the one before it has run,
could bring one more key in each round. So when three rounds were not enough, every key that the body writes is
*widened*: it becomes any value, which nothing outgrows, also where no round came to it yet. As a rule the fourth round
is the last then; a further one can only find that a key is not always set, or what a called flow writes. Most loops
take two. (`types.kinds` bounds the depth of types, too.)

Findings are made in every round and kept only from the last, whose head knows all iterations: an earlier one knows
too little and would report what the second iteration sets. Values that do not fit are the exception, for what fits no
first iteration is a mistake though later ones hide it behind any value; those are kept as warnings. A loop inside a
loop begins where it ended the last time (`AbstractRun.heads`), which is sound because the outer head only grows, and
keeps rounds from multiplying.

**Who may write what side by side.** Blocks of a parallel step and iterations of a concurrent loop each have their own
copy of the FlowContext and are merged in order (`flowdsl.step.gather`). So each is followed from the state before all
of them: nothing comes back to the head of a concurrent loop, and one round is enough. Reported is what then goes
wrong: two blocks that write one key; an iteration that reads a key before it sets it, as if the others' values came
to it (`Names.watched`); and a key that all iterations set and somebody reads after them, of which only the last one
is left (`Entry.rivals`).

**Called flows** are followed where they are called, with what is set there, because the same flow may be right for
one caller and not for another. What came of it is remembered by the keys that the flow looks at
(`assigned_keys.mentioned`), so that a second call that looks the same costs nothing. A flow that calls itself, that
is chosen by a template, or whose calls stand too deep is not followed: every key that it writes anywhere becomes any
value. A flow that nobody calls is followed from a state that is `open`: its caller may have set any key.
"""
