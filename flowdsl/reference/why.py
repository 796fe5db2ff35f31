"""Why the codes matter: a sentence for each kind of mistake."""

from __future__ import annotations

from functools import cache

_WHY = {
    "A file that cannot be read as it was meant is not run: a run would begin with half of what is written there.": """
        not-utf8 empty-file not-a-flow empty-flow yaml-syntax tab indentation second-document unquoted-template
        unquoted-colon unquoted-sign quote-in-quotes complex-key misnested-key unknown-tag unknown-alias json-syntax
        csv-syntax""",
    "YAML reads this without a complaint, and otherwise than it looks: what stands behind the `#` is gone.": """
        comment-in-text""",
    "YAML would keep one of the two and drop the other without a word.": "duplicate-key",
    "A value that holds itself, or grows without end, would take all memory before the first step.": """
        alias-cycle alias-bomb too-deep include-cycle import-cycle vars-cycle""",
    "A name that nobody knows does nothing: what was meant would not happen, and the pictures are paid for all the "
    "same.": "unknown-step unknown-key unknown-port unknown-service unknown-flow undefined-block unknown-member",
    "The run would stop where the file is needed, perhaps after pictures were paid for.": "missing-file not-a-module",
    "A flow from somebody else must not read files beside the project.": "outside-root outside-output",
    "Whoever may send inputs to a flow that is served could read the files of its machine.": "file-by-value",
    "The input of a server is not for flows: it may be what its clients say, and a flow would swallow that.": """
        no-standard-input""",
    "Of two things of one name only one can be meant, and which one would be a guess.": """
        import-collision duplicate-id same-file-name""",
    "Code of another language is not run here, so that the flow would do something else than it did there.": """
        scripts-refused foreign-syntax bloblang-syntax interpolated-mapping bare-field not-supported""",
    "The text would be sent as it stands, with its braces, and a picture of that is paid for.": """
        template-in-constant single-braces""",
    "The step has nothing to end, or would end what is still running beside it.": """
        outside-loop break-in-concurrent-loop""",
    "The old name works today; the present one is what the pages and the hints speak of.": """
        deprecated-key deprecated-alias""",
    "The step cannot do its work without it, and would fail in the middle of the run.": """
        missing-key missing-prompt missing-input missing-extra""",
    "The step, or the service, would refuse the value: the run fails there, with what came before it paid for.": """
        wrong-type wrong-pattern wrong-length out-of-range not-a-choice conflicting-keys conflicting-values
        invalid-header invalid-schema invalid-default not-a-file-name""",
    "What is written has no effect, so that the run does something else than the file says.": """
        no-effect acts-as-zero dropped-parameter seed-not-sent""",
    "A template that fails, fails when its step comes, after the steps before it were paid for.": """
        template-syntax unknown-filter unknown-test undefined-variable undefined-input maybe-undefined""",
    "The picture would show a number that is written in another way than in the file.": "lost-spelling",
    "It works, and a name of the FlowContext can be mistaken for one of another kind.": "bare-name",
    "The run would go on without the picture, and end as if all were well.": "dropped-error lost-images",
    "An iteration could use what an earlier one made, and a wrong picture looks like a right one.": "stale-value",
    "What never, or always, happens is seldom what was meant; perhaps a paid step is left out, or runs each time.": """
        constant-condition loop-never-runs loop-runs-once unreachable-step""",
    "Which of the two values is left would be decided by chance, in each run anew.": "parallel-write-conflict",
    "It does no harm; what nobody uses is often a name that was misspelt elsewhere.": """
        unused-import unused-block unused-variable""",
    "A key that leaves this machine, or lies in a file, can be used by whoever sees it, at your cost.": """
        secret-leak plain-secret key-for-foreign-host""",
    "Files would not have the names of the items that they belong to.": "shifted-file-name",
    "What the model accepts and costs is not known, so that only the run can tell.": "unknown-model unverified-option",
    "The service answers nothing for a model that is shut down.": "retired-model retiring-model",
    "The service would refuse the request, or draw something else than was asked for.": """
        unsupported-parameter unsupported-value too-long unstable-value experimental-size old-api-version
        picture-as-lines""",
    "It decides what is paid for: more requests than the file seems to make, or a picture that is not made again.": """
        judged-purchase fan-out""",
    "A request that is given up too early may be paid for and have no picture.": "short-timeout",
    "The service stores it; a person can be known by it.": "personal-identifier",
    "A comment that ignores nothing will one day hide something that nobody has seen.": """
        unused-ignore unknown-code ignore-without-code""",
    "The house has agreed on what its flows may ask for and cost.": "house-rule",
    "A test that can never pass, or never fail, says nothing of its flow.": "no-such-step impossible-expectation",
    "A setting that is misspelt would be in force nowhere, and nobody would notice.": "invalid-setting",
    "Nothing was sent: the run ends before its first paid request.": """
        invalid-input invalid-option service-not-configured unknown-provider invalid-endpoint invalid-key
        invalid-certificate transport-failed secret-not-set""",
    "A key must not go to an address, nor a request to a network, that only a file of the project names.": """
        key-not-sent private-address redirect-refused invalid-url""",
    "The run goes on, and you may want to know.": """
        endpoint-changed loop-held label-failed fewer-images plugin-fault other-format picture-incomplete no-picture
        picture-unnamed binary-response paid-before recovered journal-behind finally-failed retry record-failed
        no-records image-left not-in-batch""",
    "Nothing is bought that could not be written down: what a killed run paid for would be lost.": """
        journal-unwritable journal-full journal-damaged journal-busy journal-newer journal-closed run-goes-on""",
    "It may be done and billed; sent again without knowing, it could be billed twice.": """
        request-held picture-gone batch-in-doubt not-in-batch-results""",
    "The service refuses, and sending it again would not help.": """
        service-refused quota-exceeded content-refused request-too-large batch-refused""",
    "The service may answer later; whether the work was done, and is billed, the error says as far as it is known.": """
        service-rate-limited service-unavailable service-timeout service-failed batch-not-done""",
    "What was made may be paid for; the error says where it lies, as far as there is something.": """
        images-missing empty-response broken-response not-an-image image-not-fetched image-too-large
        image-unwritable image-unreadable output-unwritable file-exists""",
    "A limit keeps a run from using more time, memory or money than it was given; pictures made so far are kept.": """
        template-limit deadline too-many-steps context-too-large too-many-requests budget-spent unknown-price
        too-many-iterations call-depth limit-exceeded response-too-large too-large""",
    "The step could not work on what it was given; what came before it is kept.": """
        not-json schema-misfit not-base64 template-failed records-failed query-failed no-record input-unreadable
        step-failed not-recorded""",
    "The fault is in the code of a step, a plugin or a host, and not in the flow.": """
        step-crashed listener-failed plugin-failed""",
    "The error's text says what happened; what was made before it is kept.": "run-failed",
}
"""A sentence → the codes that it is said of."""


def why(name: str) -> str:
    """What happens to a flow with this finding, or after this failure."""
    return _by_code()[name]


@cache
def _by_code() -> dict[str, str]:
    return {name: sentence for sentence, names in _WHY.items() for name in names.split()}
