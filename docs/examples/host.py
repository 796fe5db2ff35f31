import asyncio

import flowdsl


class Season(flowdsl.Step, name="SEASON", outputs=("season",)):
    """Says which season of the northern half of the earth a month belongs to."""

    month: int

    def run(self, ctx: flowdsl.StepContext) -> flowdsl.Written:
        return {"season": ("winter", "spring", "summer", "autumn")[self.month % 12 // 3]}


flow = flowdsl.load("season.flow.yaml", environment=flowdsl.Environment(steps=[Season]))
print(flow.run({"month": 7}).images[0].path)


async def main() -> None:
    result = await flow.arun({"month": 12}, on_event=print)
    print(result.outputs["season"], result.images[0].path)


asyncio.run(main())
