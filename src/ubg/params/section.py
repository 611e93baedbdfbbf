"""What all sections of the params have in common."""

from typing import Annotated, Any, get_origin

from pydantic import BaseModel, ConfigDict, Field, model_validator

Positive = Annotated[int, Field(gt=0)]
Count = Annotated[int, Field(ge=0)]
Fraction = Annotated[float, Field(ge=0, le=1)]
NonNegative = Annotated[float, Field(ge=0)]
PositiveFloat = Annotated[float, Field(gt=0)]


class Section(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _lists_as_tuples(cls, values: Any) -> Any:
        """YAML has lists alone; a strict tuple takes none."""
        if not isinstance(values, dict):
            return values
        fields = cls.model_fields
        tuples = {name for name in fields if get_origin(fields[name].annotation) is tuple}
        return {
            name: tuple(value) if name in tuples and isinstance(value, list) else value
            for name, value in values.items()
        }
